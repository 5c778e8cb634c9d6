"""Less noise, proved: exceptions to rules, and the smallest one that silences chosen alerts."""
