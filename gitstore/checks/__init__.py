"""What is wrong with a tree: the rules of the one validator. Writes nothing."""
