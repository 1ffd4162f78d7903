package backup

import (
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
)

// One that has just ended must not hide the one that is asked for in this moment.
func TestABackupThatIsWantedIsUnderWayForWhoeverAsksNext(t *testing.T) {
	n := NewNightly(Source{Config: filepath.Join(t.TempDir(), "none")}, "v1", slog.New(slog.DiscardHandler), nil)
	var looking sync.WaitGroup
	defer looking.Wait()
	stop := make(chan struct{})
	defer close(stop)
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				n.look(t.Context(), night, false) // finds nothing to do, again and again
			}
		}
	})
	for i := range 100000 {
		n.Now()
		if !n.Running() {
			t.Fatalf("wish %d is not under way", i+1)
		}
		<-n.wanted
	}
}
