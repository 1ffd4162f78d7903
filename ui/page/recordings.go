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
	Voices  []Voice // of a conference room

	May   bool   // delete and hold it
	Clear bool   // the visitor is not on HTTPS: it is not heard here
	Back  string // path of the page that shows it
}

// Voice is a party of a conference that was recorded: when it was there, and when it spoke.
type Voice struct {
	Who   string
	There Gap
	Spoke []Gap // the first ones
	More  int   // how often beside them
}

// Gap is a pause of a recording.
type Gap struct {
	From, To time.Duration // of the recording
	Why      string        // card, hold
}

// Tape is how it stands with the recording of a conversation, for who may begin, end or pause it.
type Tape struct {
	Action string // where the buttons post to
	Offer  bool   // one may be begun
	On     bool   // one runs
	Paused bool   // while the number of a card is said
	Ends   bool   // it is not the house that wants it: it can be ended
}

// Any tells whether there is anything to say.
func (t Tape) Any() bool { return t.On || t.Offer }

// Taping is the page of whose calls are recorded.
type Taping struct {
	Reader   Reader
	Box      string
	Said     Said
	Rules    []Card // in the order in which they count
	Purposes []Card
	Baseless []string // purposes for which is recorded without a ground
	Manner   []Fact
	Absent   bool // there is no archive, so nothing is recorded
	Kept     int
	Bytes    int64
	Checked  Checked
}

// MB is how much the recordings take, in megabytes.
func (t Taping) MB() string { return fmt.Sprintf("%.1f", float64(t.Bytes)/1e6) }

// Checked is what was found when all recordings were read against their index.
type Checked struct {
	Running bool
	At      time.Time // when it was over; zero: never
	Files   int
	Open    int      // that were still being recorded
	Wrong   []string // English; none: all are as they were written
	Failed  string   // why it came to no end, English
}

// Taping renders the page of whose calls are recorded.
func (r *Renderer) Taping(t Taping, now time.Time) ([]byte, error) {
	return r.shell("recording.html", "recording", t.Box, t.Reader, t, now)
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
