"""Guards made from evidence, and proved before anybody gets them."""
