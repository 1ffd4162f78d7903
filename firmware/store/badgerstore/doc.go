// Package badgerstore keeps the finished records in Badger, for the one process that does nothing
// else. Badger maps its files into memory and dies by SIGBUS on a full disk; everything here is
// made so that this process may die at any moment and come back whole.
package badgerstore
