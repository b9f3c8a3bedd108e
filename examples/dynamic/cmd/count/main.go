// Counts the bytes of its standard input.
package main

import (
	"os"
	"strconv"
)

func main() {
	total := 0
	buffer := make([]byte, 1<<16)
	for {
		read, err := os.Stdin.Read(buffer)
		total += read
		if err != nil {
			break
		}
	}
	os.Stdout.WriteString(strconv.Itoa(total) + "\n")
}
