"""What people configure beside calls: tariffs, directories, exports; and calls priced anew."""
