package page

import "time"

// Messages lists what the box says: the announcements of the owner, and its own sentences by group.
type Messages struct {
	Reader Reader
	Box    string
	Said   Said
	Own    []Message
	Groups []MessageGroup
}

// MessageGroup is some sentences of the box. Key + ".help" says when they are said.
type MessageGroup struct {
	Key      string
	Open     bool // they are shown at once
	Messages []Message
}

// Message is one thing that is said.
type Message struct {
	Name  string // of an announcement, or the words of a sentence
	Path  string // where it is heard and changed
	Sound string // path of the sound, to be heard in the list; empty: not there
	Own   bool   // the sound is the owner's
	None  bool   // there is no sound yet
}

// Announcement is the page of one message: its sounds, and the ways to make another.
type Announcement struct {
	Reader Reader
	Box    string
	Said   Said
	Title  string
	Taken  *Taken // what was just made
	Rings  string // name of whose phones ring to record it
	Takes  []Take
	People []Option // whose phones can record
	Synth  bool     // there is a synthesiser
	Edit   string   // path of the form with its name; empty: it has none
	Most   int      // bytes of a file
}

// Take is the sound of a message in a language.
type Take struct {
	ID      string // for the ids of the page
	Lang    string // key of the language's name; empty: it has none
	Tongue  string // the language, as HTML names it; empty: unknown
	Text    string // what the box says there
	Path    string // of the sound; what is changed is posted there
	Own     bool   // it is the owner's
	None    bool   // there is no sound yet
	BuiltIn bool   // there is one that comes with the box
	Undo    bool   // there is another to go back to
	Length  time.Duration
	Changed time.Time
	Written string // a text for the synthesiser, to begin with
	Most    int    // letters of such a text
}

// Taken is what was made of a sound, in figures for a sentence.
type Taken struct {
	Seconds string
	Cut     string // seconds of silence that were taken away; empty: none
	Raised  string // dB; empty: hardly
	Lowered string // dB; empty: not
	Clipped bool
}

// Menus lists the menus of callers.
type Menus struct {
	Reader Reader
	Box    string
	Said   Said
	Menus  []MenuCard
}

// MenuCard is one menu with the picture of where it leads.
type MenuCard struct {
	Card
	Tree []Branch
}

// Branch is one way on from a menu.
type Branch struct {
	Key   string // on the telephone; empty: Says tells
	Says  string // key of the sentence: nothing is pressed, a wrong key, an extension
	To    Option // where it leads
	Path  string // of its form; empty: it has none
	Note  string // key of what is odd about it; empty: nothing
	Below []Branch
}

// Messages renders the list of what the box says.
func (r *Renderer) Messages(m Messages, now time.Time) ([]byte, error) {
	return r.shell("messages.html", "messages", m.Box, m.Reader, m, now)
}

// Announcement renders the page of one message.
func (r *Renderer) Announcement(a Announcement, now time.Time) ([]byte, error) {
	return r.shell("message.html", "message", a.Box, a.Reader, a, now)
}

// Menus renders the list of menus.
func (r *Renderer) Menus(m Menus, now time.Time) ([]byte, error) {
	return r.shell("menus.html", "menus", m.Box, m.Reader, m, now)
}
