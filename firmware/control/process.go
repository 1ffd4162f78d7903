package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Process is what prontod knows of itself as a program.
type Process struct {
	Goroutines int    `json:"goroutines"`
	Heap       uint64 `json:"heap"` // bytes of objects, those included that nobody uses any more
}

// ProcessNow asks the prontod whose state lies in dir.
func ProcessNow(ctx context.Context, dir string) (p Process, err error) {
	body, status, err := Ask(ctx, dir, http.MethodGet, "/process")
	switch {
	case err != nil:
		return p, err
	case status != http.StatusOK:
		return p, fmt.Errorf("prontod does not tell of itself: %d %s", status, body)
	}
	return p, json.Unmarshal(body, &p)
}
