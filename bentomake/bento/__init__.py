"""What a Bento is; nothing here builds one."""
