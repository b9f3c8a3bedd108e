// Says how many files there are in the image that it runs in.
package main

import (
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	files := 0
	for _, top := range os.Args[1:] {
		filepath.WalkDir(top, func(_ string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				files++
			}
			return nil
		})
	}
	println("I am", files, "of the files here.")
}
