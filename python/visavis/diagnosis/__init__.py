"""What stands in the way: findings about this machine and a server, each with one next step (`visavis doctor`)."""
