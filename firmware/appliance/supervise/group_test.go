package supervise

import (
	"os"
	"testing"
	"time"
)

func TestAServiceWhoseControlGroupIsNoneBeginsWithoutIt(t *testing.T) {
	dir, err := os.Open(t.TempDir()) // the kernel takes only a directory of its own tree
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	s := service("sockets")
	s.Group = dir
	w := supervised(t, Options{MinDelay: 10 * time.Millisecond, Stable: time.Millisecond}, s)
	if st := w.until("running", running); st.Restarts != 1 {
		t.Errorf("it runs after %d restarts", st.Restarts)
	}
}
