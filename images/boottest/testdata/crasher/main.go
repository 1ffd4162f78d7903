// Command crasher takes the place of a program of a box, or of its first one, and ends at once.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "crasher: ends")
	os.Exit(1)
}
