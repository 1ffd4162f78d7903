package appliance

import (
	"cmp"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// buttons are the push buttons, those beside lamps and those of their own. They come and go with the panel.
type buttons struct {
	all []lamp.Button
	wg  sync.WaitGroup
}

// follow listens to each button for its agent, until the button is closed. At a desk that is whoever sits there.
func (x *buttons) follow(b *Box, all []lamp.Button, configured []config.Button) {
	x.all = all
	is := map[tel.LampID]config.Button{}
	for _, c := range configured {
		is[c.ID] = c
	}
	for _, button := range all {
		c := is[button.ID()]
		of, _ := lamp.ReadSubject(c.Of)
		x.wg.Go(func() {
			for range button.Presses() {
				switch of.Kind {
				case lamp.Agent:
					b.pressed(tel.AgentID(of.ID), c)
				case lamp.Desk:
					b.pressed(b.personal.Current().Seats[tel.DeviceID(of.ID)], c)
				}
			}
		})
	}
}

// pressed carries out what a press of a button asks for in the agent's state of now.
func (b *Box) pressed(agent tel.AgentID, by config.Button) {
	e, known := b.present.agent(agent)
	if !known {
		return // the button of nobody
	}
	do, reason := by.Use.Press(e.State, e.Help), ""
	if p := b.config().Pauses; do == lamp.PressPause && len(p.Reasons) > 0 {
		reason = cmp.Or(by.Reason, p.Reasons[0].Name) // one button has one reason
	}
	if do != lamp.PressNothing {
		b.command(agent, string(do), reason)
	}
}

// stopButtons takes no more presses, and waits until those that came are carried out.
func (l *lamps) stopButtons() {
	l.mu.Lock()
	all := l.buttons.all
	l.buttons.all = nil
	l.mu.Unlock()
	for _, button := range all {
		if err := button.Close(); err != nil {
			l.b.log.Warn("button does not close", "button", button.ID(), "err", err)
		}
	}
	l.buttons.wg.Wait()
}

// press presses a simulated button; false where there is none.
func (l *lamps) press(id tel.LampID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, button := range l.buttons.all {
		if sim, ok := button.(interface{ Press() bool }); ok && button.ID() == id {
			return sim.Press()
		}
	}
	return false
}
