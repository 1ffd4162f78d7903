package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/personal"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func (b *Box) openPersonal() error {
	var err error
	b.personal, err = personal.Open(personal.Config{
		Log: b.log.With("room", "personal"), Path: filepath.Join(b.opts.Dir, "personal.json"), Publish: b.publish,
		Saved: func(err error) {
			b.report("personal", err == nil, "what people set from their phones is not on the disk")
		},
	})
	if err == nil {
		for a, p := range b.personal.Current().People {
			if p.DND {
				b.undisturbed[a] = true
			}
		}
	}
	return err
}

// adopt makes a configuration the one that new calls see.
func (b *Box) adopt(n *numbering) {
	n.b = b
	b.numbering.Store(n)
	b.rtpTrace.look() // a permission may have lost what it rests on
}

// adoptPersonal drops the settings of people and phones that a new configuration has not.
func (b *Box) adoptPersonal(ctx context.Context, c *config.Config, n *numbering) {
	var phones []tel.DeviceID
	for _, p := range c.Phones {
		phones = append(phones, p.ID)
	}
	if err := b.personal.Adopt(ctx, n.plan, phones); err != nil {
		b.log.Warn("settings of removed people stay", "err", err)
	}
}

// set carries out a code that changes a setting.
func (b *Box) set(ctx context.Context, change string) error {
	var c dialplan.Change
	if err := json.Unmarshal([]byte(change), &c); err != nil {
		return fmt.Errorf("read a change: %w", err)
	}
	return b.personal.Change(ctx, c)
}

// pausedByDND is the reason of a pause that do-not-disturb made.
const pausedByDND = "dnd"

// disturb keeps do-not-disturb and the pause of an agent one state: who is not to be disturbed gets no
// calls of queues either, and colleagues see one truth. A pause that the agent took for another reason
// is not ours to end.
func (b *Box) disturb(e tel.PersonalChanged) {
	b.mu.Lock()
	was := b.undisturbed[e.Agent]
	if e.DND {
		b.undisturbed[e.Agent] = true
	} else {
		delete(b.undisturbed, e.Agent)
	}
	b.mu.Unlock()
	a, _ := b.present.agent(e.Agent)
	own := a.State == tel.AgentPaused && a.Reason != pausedByDND
	switch {
	case e.DND && !was && !own:
		b.command(e.Agent, "pause", pausedByDND)
	case !e.DND && was && !own:
		b.command(e.Agent, "unpause", "")
	}
}

// undisturb pauses an agent who comes to work, or ends another pause, and is not to be disturbed.
func (b *Box) undisturb(e tel.AgentChanged) {
	if e.State == tel.AgentReady && b.personal != nil && b.personal.Current().People[e.Agent].DND {
		b.command(e.Agent, "pause", pausedByDND)
	}
}

// resume ends a pause, and with it do-not-disturb: who asks for work wants the phone to ring.
func (b *Box) resume(ctx context.Context, agent tel.AgentID) error {
	if b.personal.Current().People[agent].DND {
		if err := b.personal.Change(ctx, dialplan.Change{Kind: dialplan.DND, Agent: agent}); err != nil {
			return err
		}
	}
	return b.queues.Resume(ctx, agent)
}

// callers remembers who called each phone last from outside, for the code that blocks that caller.
type callers struct {
	mu   sync.Mutex
	last map[tel.DeviceID]tel.Number
}

func (c *callers) note(e tel.PartyChanged) {
	dev, isPhone := strings.CutPrefix(e.Party, "phone:")
	if !isPhone || e.Phase != tel.PartyRinging || e.Remote == "" || e.Remote.Kind() == tel.KindExtension {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[tel.DeviceID]tel.Number{}
	}
	c.last[tel.DeviceID(dev)] = e.Remote
}

func (n *numbering) lastCaller(d tel.DeviceID) tel.Number {
	if n.b == nil {
		return ""
	}
	n.b.callers.mu.Lock()
	defer n.b.callers.mu.Unlock()
	return n.b.callers.last[d]
}
