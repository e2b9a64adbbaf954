"""The cache: coherent with every event and every write, in one process and across replicas."""
