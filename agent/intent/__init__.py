"""What a container command asks the runtime to do, whatever its spelling: pure readers into one `Intent`."""
