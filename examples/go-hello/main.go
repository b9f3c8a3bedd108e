// A web server that answers OK, on port 8001 unless PORT says otherwise.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8001"
	}
	http.HandleFunc("/", func(response http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(response, "OK")
	})
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
