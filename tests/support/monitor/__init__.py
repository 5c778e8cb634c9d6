"""Material for the tests of monitor."""
