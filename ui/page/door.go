package page

import (
	"html/template"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Reader is who looks at a page.
type Reader struct {
	Name string // with which the reader signed in; empty: nobody known
	Role access.Role
	Path string // of this page
	// Query is the rest of its address, without the language: with it the page in another language is the same.
	Query template.URL

	Changes int // that the reader has made and not yet applied

	Heard  bool   // by others, perhaps: the page came over plain HTTP
	Sealed string // address of this page over HTTPS; empty: there is none
}

// Owns tells whether the reader may see who else uses the page.
func (r Reader) Owns() bool { return r.Role.May(access.Own) }

// Said is a sentence of the catalogue about what the reader has just tried; empty is none. Of what went wrong
// the catalogue has three: what happened, Sentence + ".why" for the likely cause and Sentence + ".do" for what to do now; the rest
// is for whoever is asked for help.
type Said struct {
	Sentence string
	Args     []any
	Where    string    // a part of the configuration, a path; empty: none
	Detail   string    // words of the log, English
	At       time.Time // zero: not said
}

// Refusal is a page that says why there is no other.
type Refusal struct {
	Reader Reader
	Box    string
	Said   Said
}

// Door is the form with which a box is claimed, or a session begun.
type Door struct {
	Reader      Reader
	Box         string
	Said        Said
	Shut        bool // there is nothing to fill in
	Code, Name  string
	To          string // where to go on
	Half        string // of a sign-in that waits for its one-time code
	MinPassword int
	Private     string // where the way to this page would be private; empty: it is, or it is nowhere
}

// Person is somebody who answers calls.
type Person struct {
	ID   tel.AgentID
	Name string
}

// Users is the list of who may use the page.
type Users struct {
	Reader      Reader
	Box         string
	Said        Said
	Users       []access.User
	People      []Person
	Roles       []access.Role
	Queues      []Choice // that a supervisor can be limited to
	Invites     []access.Invite
	Name        string // as typed
	Role        access.Role
	MinPassword int
}

// Person names what a user is at the phones.
func (u Users) Person(id tel.AgentID) string {
	for _, p := range u.People {
		if p.ID == id {
			return p.Name
		}
	}
	return string(id)
}

// Limits tells whether a queue is among those to which a supervisor is limited.
func (u Users) Limits(who access.User, queue string) bool {
	return slices.Contains(who.Queues, tel.QueueID(queue))
}

// Supervised names the queues to which a supervisor is limited.
func (u Users) Supervised(who access.User) (names []string) {
	for _, id := range who.Queues {
		name := string(id)
		for _, q := range u.Queues {
			if q.ID == name {
				name = q.Name
				break
			}
		}
		names = append(names, name)
	}
	return names
}

// Me is the page of the reader's own account.
type Me struct {
	Reader      Reader
	Box         string
	Said        Said
	MinPassword int
	OneTime     bool // signs in with one-time codes
	Passkeys    []access.Passkey
	Sessions    []access.Session
	Desk        *Desk // the reader's own work; nil of who answers no calls
}

// Desk is what somebody who answers calls does now, and may choose.
type Desk struct {
	Name    string
	State   tel.AgentState
	Since   time.Time
	Reason  string
	By      string   // who paused or logged out the agent, if not the agent
	Help    bool     // a supervisor is asked for
	Browser bool     // may telephone with the page
	Tape    Tape     // of what the agent talks now
	Reasons []string // that a pause can have; none: without
	Queues  []DeskQueue

	Dispositions []string // that fit the caller whom the agent talks with, or talked with last
	Disposed     string   // the one that was said
}

// LoggedIn tells whether the agent is at work.
func (d Desk) LoggedIn() bool { return d.State != tel.AgentLoggedOut }

// DeskQueue is a queue of which somebody is a member.
type DeskQueue struct {
	ID      tel.QueueID
	Name    string
	Serving bool
	Locked  bool // the reader may not change it
}

// Begun shows the secret of one-time codes that are not confirmed yet.
type Begun struct {
	Reader Reader
	Box    string
	Said   Said
	Secret string
}

// Spare shows spare codes, the only time that they are seen.
type Spare struct {
	Reader Reader
	Box    string
	Codes  []string
}

// Say is a sentence as text, with what to do about it, for what is no page.
func (r *Renderer) Say(s Said) string {
	text := r.cat.T(s.Sentence, s.Args...)
	if do := s.Sentence + ".do"; r.cat.Has(do) {
		text += " " + r.cat.T(do, s.Args...)
	}
	return text
}

// Word is a sentence of the catalogue, or what stands for it where the catalogue has none.
func (r *Renderer) Word(key, otherwise string) string {
	if r.cat.Has(key) {
		return r.cat.T(key)
	}
	return otherwise
}

// shell is the frame of a page without live parts, around what it shows.
type shell struct {
	frame
	It any
}

func (r *Renderer) shell(name, title, box string, who Reader, it any, now time.Time) ([]byte, error) {
	f := r.frame(view.Office{Name: box}, who, now)
	f.Title = title
	return r.render(name, shell{f, it})
}

// Claim renders the form with which a box gets its owner.
func (r *Renderer) Claim(d Door, now time.Time) ([]byte, error) {
	return r.shell("claim.html", "claim", d.Box, d.Reader, d, now)
}

// SignIn renders the form with which a session begins.
func (r *Renderer) SignIn(d Door, now time.Time) ([]byte, error) {
	return r.shell("signin.html", "signin", d.Box, d.Reader, d, now)
}

// OneTime renders the form for the one-time code of a sign-in.
func (r *Renderer) OneTime(d Door, now time.Time) ([]byte, error) {
	return r.shell("onetime.html", "signin", d.Box, d.Reader, d, now)
}

// Begun renders the secret that an authenticator app must learn.
func (r *Renderer) Begun(b Begun, now time.Time) ([]byte, error) {
	return r.shell("begun.html", "onetime", b.Box, b.Reader, b, now)
}

// Invitation shows a link, the only time that it is seen.
type Invitation struct {
	Reader Reader
	Box    string
	Name   string // of who is invited
	Link   string
	Until  time.Time
}

// Invitation renders a link with which somebody becomes a user.
func (r *Renderer) Invitation(i Invitation, now time.Time) ([]byte, error) {
	return r.shell("invitation.html", "invite.title", i.Box, i.Reader, i, now)
}

// Invited renders the form with which the invited sets the own password.
func (r *Renderer) Invited(d Door, now time.Time) ([]byte, error) {
	return r.shell("invited.html", "invite", d.Box, d.Reader, d, now)
}

// Spare renders spare codes.
func (r *Renderer) Spare(x Spare, now time.Time) ([]byte, error) {
	return r.shell("spare.html", "onetime.spare", x.Box, x.Reader, x, now)
}

// Users renders who may use the page.
func (r *Renderer) Users(u Users, now time.Time) ([]byte, error) {
	return r.shell("users.html", "users", u.Box, u.Reader, u, now)
}

// Me renders the reader's own account.
func (r *Renderer) Me(m Me, now time.Time) ([]byte, error) {
	return r.shell("me.html", "me", m.Box, m.Reader, m, now)
}

// Refusal renders why there is no other page.
func (r *Renderer) Refusal(x Refusal, now time.Time) ([]byte, error) {
	return r.shell("refusal.html", "refusal", x.Box, x.Reader, x, now)
}
