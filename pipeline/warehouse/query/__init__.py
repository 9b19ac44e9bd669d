"""Questions about calls: filters to bound SQL, pages, lists, counts."""
