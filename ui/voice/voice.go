// Package voice is the page's way to what the box says: the sounds of its sentences and of the announcements that
// the owner has added.
package voice

import (
	"context"
	"io"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// MaxText is how many letters a synthesiser is given at once.
const MaxText = 1000

// Port is that way. A sound is named by the id of an announcement, or as LANGUAGE/NAME where it is said instead
// of the sound that comes with the box. What is changed is heard from the next time on that it is said.
type Port struct {
	// Languages are those that the box speaks.
	Languages []string
	// Text is what a sentence of the box says, as it comes with it; empty for one that it does not know.
	Text func(lang, name string) string
	// Sound tells of a sound of the owner's; false where there is none.
	Sound func(id string) (Sound, bool)
	// Play is a sound as WAV: the owner's, or that which comes with the box. Error: there is none.
	Play func(id string, own bool) ([]byte, error)
	// Take makes a sound of a WAV or MP3 while it is being read.
	Take func(ctx context.Context, id string, from io.Reader, by settings.By) (Taken, settings.Refusal, error)
	// Remove gives a sentence its own sound again, and an announcement none.
	Remove func(id string, by settings.By) (settings.Refusal, error)
	// Undo brings back what there was before the last change, Remove among them.
	Undo func(id string, by settings.By) (settings.Refusal, error)
	// Ring lets the phones of a person ring; who answers records the sound. It returns the sentence that says
	// why not, or nothing.
	Ring func(person tel.AgentID, id string, by settings.By) (sentence string)
	// Speak has the box's synthesiser say a text; nil where there is none.
	Speak func(ctx context.Context, id, lang, text string, by settings.By) (Taken, settings.Refusal, error)
}

// Sound is what is known of one.
type Sound struct {
	Changed time.Time
	Length  time.Duration
	Before  bool // there was another before it
}

// Taken is what was made of a sound.
type Taken struct {
	Length  time.Duration
	Cut     time.Duration // silence that was taken away
	Raised  float64       // by so many dB; less than 0: lowered
	Clipped bool          // it was recorded too loud
}
