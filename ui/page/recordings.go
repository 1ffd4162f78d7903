package page

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Recording is one part of a conversation that was recorded.
type Recording struct {
	ID      string
	Began   time.Time
	Length  time.Duration
	Queue   tel.QueueID
	Parties []string  // who speaks, the first on the left
	Purpose string    // name
	Until   time.Time // when it is deleted; zero: by hand only
	Running bool
	Cut     bool // it was interrupted, and is whole up to there
	Lost    int  // pieces of 20 ms for which the disk was too slow
	Held    bool
	Gaps    []Gap

	May   bool   // delete and hold it
	Clear bool   // the visitor is not on HTTPS: it is not heard here
	Back  string // path of the page that shows it
}

// Gap is a pause of a recording.
type Gap struct {
	From, To time.Duration // of the recording
	Why      string        // card, hold
}

// Lasts is the length in minutes and seconds.
func (r Recording) Lasts() string { return minutes(r.Length) }

// Starts is the beginning of a gap in minutes and seconds, Ends its end.
func (g Gap) Starts() string { return minutes(g.From) }

// Ends is the end of a gap in minutes and seconds.
func (g Gap) Ends() string { return minutes(g.To) }

func minutes(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d", d/time.Minute, d/time.Second%60)
}
