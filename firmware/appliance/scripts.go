package appliance

import (
	"crypto/subtle"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/voicemail"
)

// menu is the script of a menu of the configuration.
func (n *numbering) menu(id string) (*ivr.Menu, bool) {
	i := slices.IndexFunc(n.cfg.Menus, func(m config.Menu) bool { return m.ID == id })
	if i < 0 {
		return nil, false
	}
	m := n.cfg.Menus[i]
	s := &ivr.Menu{
		Greeting: m.Greeting, Keys: m.Keys, Wait: m.Wait,
		Timeouts: m.Timeouts, TimeoutTo: m.TimeoutTo, Invalid: m.Invalid, InvalidTo: m.InvalidTo,
	}
	if m.Dial {
		s.DialFirst, s.DialLongest = n.dialable()
	}
	return s, true
}

// dialable sums up the internal numbers that a caller may dial in a menu: their first digits and
// their greatest length.
func (n *numbering) dialable() (first string, longest int) {
	for _, x := range n.internal() {
		if !slices.Contains([]byte(first), x[0]) {
			first += string(x[0])
		}
		longest = max(longest, len(x))
	}
	return first, longest
}

// internal lists the numbers of people, groups and queues.
func (n *numbering) internal() []tel.Number {
	var all []tel.Number
	for _, a := range n.cfg.Agents {
		all = append(all, a.Extension)
	}
	for _, g := range n.cfg.Groups {
		if g.Number != "" {
			all = append(all, g.Number)
		}
	}
	for _, q := range n.cfg.Queues {
		all = append(all, q.Number)
	}
	return all
}

// script is what the plan wants a caller to go through; ok is false when it does not exist.
func (n *numbering) script(d dialplan.Decision, r dialplan.Request) (s ivr.State, ok bool) {
	lang := n.cfg.Box.Language
	var part any
	switch d.Action {
	case dialplan.Menu:
		m, ok := n.menu(d.Menu)
		if !ok {
			return s, false
		}
		part = m
	case dialplan.Conference:
		c, ok := n.conference(d.Conference)
		if !ok {
			return s, false
		}
		part = c
	case dialplan.Say:
		part = &ivr.Say{Names: []string{n.announced(d.Prompt)}}
	case dialplan.PromptTest:
		part = &ivr.Say{Names: []string{"greeting", "wait", "closed", "goodbye"}}
	case dialplan.AskPIN:
		part = &ivr.PIN{Of: dialLock + string(r.Device) + "/" + string(d.As), To: dialedAgain + string(r.Dialed)}
	case dialplan.RecordPrompt:
		part = n.announcement(d.Prompt)
	case dialplan.Messages:
		lang = languageOf(&n.cfg, d.Mailbox)
		part = n.mailbox(d.Mailbox, r.Device)
	case dialplan.Voicemail:
		if n.b == nil {
			return s, false
		}
		deposit, ok := n.b.deposit(&n.cfg, d.Mailbox)
		if !ok {
			return s, false
		}
		lang, part = languageOf(&n.cfg, d.Mailbox), deposit
	}
	return ivr.New("", lang, part), true
}

// announced is the name of a sound: one that the owner of the box recorded, or one of the library.
func (n *numbering) announced(id string) string {
	if slices.ContainsFunc(n.cfg.Prompts.List, func(p config.Prompt) bool { return p.ID == id }) {
		return "prompt:" + id
	}
	return id
}

// deposit is the script that takes a message for a mailbox; ok is false for a number without one.
func (b *Box) deposit(c *config.Config, box tel.Number) (s *ivr.Deposit, ok bool) {
	if _, ok := b.voicemail.Counts(box); !ok {
		return nil, false
	}
	words := ivr.StandardGreeting()
	if own := b.voicemail.Greeting(box, voicemail.Standard); own != nil {
		words = own
	}
	return &ivr.Deposit{
		Box: string(box), Greeting: words, Full: !b.voicemail.Room(box),
		Max: c.Voicemail.MaxLength, Silence: c.Voicemail.Silence, Review: c.Voicemail.Review,
	}, true
}

// mailbox is the script that lets a person hear messages. The person's own phones may need no code.
func (n *numbering) mailbox(box tel.Number, from tel.DeviceID) *ivr.Mailbox {
	s := &ivr.Mailbox{Box: string(box)}
	at, _ := n.now().At(from)
	for _, m := range n.cfg.Voicemail.Boxes {
		if m.Number == box && at.Number == box {
			s.Own = m.OwnPhone
		}
	}
	return s
}

// announcement is the script that records an announcement; number says which, or is empty.
func (n *numbering) announcement(number string) *ivr.Prompt {
	s := &ivr.Prompt{Numbers: map[string]string{}}
	if n.cfg.Prompts.PIN != "" {
		s.Of = lockPrompts
	}
	for _, p := range n.cfg.Prompts.List {
		s.Numbers[string(p.Number)] = p.ID
	}
	s.Prompt = s.Numbers[number]
	return s
}

// Spool implements call.Clerk.
func (b *Box) Spool(name string) string {
	return filepath.Join(b.voicemail.SpoolDir(), name+".wav")
}

// Do implements call.Clerk.
func (b *Box) Do(call tel.CallID, e ivr.Effect, answer func(ivr.Event)) {
	var err error
	switch e := e.(type) {
	case ivr.Check:
		b.check(e, answer)
	case ivr.List:
		b.list(e, answer)
	case ivr.Deliver:
		err = b.voicemail.Deliver(e.Path, voicemail.Message{
			Box: tel.Number(e.Box), Call: call, From: e.From, Name: e.CallerName, At: e.At,
		}, voicemail.MinLength)
	case ivr.Discard:
		err = b.voicemail.Discard(e.Path)
	case ivr.MarkHeard:
		err = b.voicemail.MarkHeard(tel.Number(e.Box), e.ID)
	case ivr.Keep:
		err = b.voicemail.Keep(tel.Number(e.Box), e.ID)
	case ivr.Delete:
		err = b.voicemail.Delete(tel.Number(e.Box), e.ID)
	case ivr.Undelete:
		err = b.voicemail.Undelete(tel.Number(e.Box), e.ID)
	case ivr.SaveGreeting:
		err = b.voicemail.SaveGreeting(tel.Number(e.Box), e.Kind, e.Path)
	case ivr.SavePrompt:
		err = b.voicemail.SavePrompt(e.ID, e.Path)
	case ivr.Proved:
		b.lineProved(call)
	case ivr.SetPIN: // hashing takes longer than a call should wait
		b.wg.Go(func() {
			if err := b.voicemail.SetPIN(tel.Number(e.Box), e.PIN); err != nil {
				b.log.Error("a mailbox's code is not changed", "box", e.Box, "err", err)
			}
		})
	default:
		b.log.Error("a script wishes what nobody does", "wish", e)
	}
	if err != nil {
		b.log.Error("a script's wish is not fulfilled", "call", call, "wish", e, "err", err)
	}
}

func (b *Box) check(e ivr.Check, reply func(ivr.Event)) {
	switch e.What {
	case ivr.CheckConference:
		b.opensConference(e.Of, e.Value, reply)
	case ivr.CheckPIN:
		if lock, ok := strings.CutPrefix(e.Of, dialLock); ok {
			reply(ivr.Checked{OK: b.opens(lock, e.Value)})
			return
		}
		b.voicemail.CheckPIN(e.Of, e.Value, func(ok bool) { reply(ivr.Checked{OK: ok}) })
	case ivr.CheckNewPIN:
		reply(ivr.Checked{OK: tel.GoodPIN(tel.Number(e.Of), e.Value) == nil})
	case ivr.CheckCallback:
		reply(ivr.Checked{OK: b.numbering.Load().mayCallBack(e.Of, tel.Number(e.Value))})
	case ivr.CheckExtension:
		reply(ivr.Checked{OK: slices.Contains(b.numbering.Load().internal(), tel.Number(e.Value))})
	default:
		b.log.Error("a script asks what nobody knows", "what", e.What)
		reply(ivr.Checked{})
	}
}

// dialLock begins what a Check is about that opens a number to a phone: the phone and the extension
// whose code is asked follow.
const dialLock = "dial:"

// opens checks the code of an extension, entered at a phone. The dial plan counts wrong ones.
func (b *Box) opens(lock, pin string) bool {
	device, extension, _ := strings.Cut(lock, "/")
	n := b.numbering.Load()
	right := n.pin(tel.Number(extension))
	if right != "" && subtle.ConstantTimeCompare([]byte(pin), []byte(right)) == 1 {
		return true
	}
	b.personal.Tell(dialplan.Change{Kind: dialplan.WrongPIN, Device: tel.DeviceID(device), At: time.Now()})
	return false
}

// list gives a mailbox's messages to a script. A box that is gone is an empty one.
func (b *Box) list(e ivr.List, reply func(ivr.Event)) {
	all, err := b.voicemail.List(tel.Number(e.Box))
	if err != nil {
		b.log.Warn("a script asks for a mailbox", "err", err)
	}
	var out ivr.Listed
	for _, m := range all {
		out.Messages = append(out.Messages, ivr.Message{
			ID: m.ID, From: m.From, Name: m.Name, At: m.At, Length: m.Length, Heard: !m.Heard.IsZero(),
		})
	}
	reply(out)
}
