"""The static checker: names, overloads, types, and literals that functions parse."""
