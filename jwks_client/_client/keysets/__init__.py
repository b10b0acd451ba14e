"""The key sets of a client and the flights that fetch them."""
