// Command refuser takes the place of prontod: it says what is wrong and asks not to be started again.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "refuser: the office has 2 mistakes")
	os.Exit(125)
}
