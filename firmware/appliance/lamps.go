package appliance

import (
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func (b *Box) openLamps() error {
	c := b.opts.Config
	lights, err := b.opts.Board.Lights(c.Lamps)
	if err != nil {
		return err
	}
	owner := map[tel.LampID]tel.AgentID{}
	for _, a := range c.Agents {
		if a.Lamp != "" {
			owner[a.Lamp] = a.ID
		}
	}
	var all []lamp.Assignment
	for _, l := range lights {
		all = append(all, lamp.Assignment{Light: l, Agent: owner[l.ID()]})
	}
	b.lamps = lamp.NewPanel(lamp.Config{Log: b.log.With("room", "lamp"), Lights: all, Publish: b.publish})
	return nil
}
