package appliance

import (
	"encoding/json"
	"net/http"
	"runtime"
	"runtime/metrics"

	"github.com/pronto-pbx/pronto/firmware/control"
)

// processCommands are what who stands at the box can ask of the program itself: GET /process.
func (b *Box) processCommands(mux *http.ServeMux) {
	mux.HandleFunc("GET /process", func(w http.ResponseWriter, _ *http.Request) {
		heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(heap)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(control.Process{Goroutines: runtime.NumGoroutine(), Heap: heap[0].Value.Uint64()}) // who hung up needs no answer
	})
}
