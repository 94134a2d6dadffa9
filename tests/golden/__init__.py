"""Cases worked out by hand, as data: any implementation of records -> rows can be checked against them."""
