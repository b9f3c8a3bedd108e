// Says who it runs as, and what it was built to.
package main

import (
	"os"
	"strconv"
)

func main() {
	manifest, err := os.ReadFile("/manifest")
	if err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("I run as " + strconv.Itoa(os.Getuid()) + " and am " + string(manifest[:12]) + ".\n")
}
