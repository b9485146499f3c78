"""What a user would pick instead, each as its own documentation would have it. Both read the same tables (`fill`)."""
