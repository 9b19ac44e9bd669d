"""What people configure over the API: the directory, webhooks."""
