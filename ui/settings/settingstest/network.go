package settingstest

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// Network is the network of a box in memory. Its fields may be set before the page is asked.
type Network struct {
	Stands  page.NetworkState
	Foreign bool             // the system owns it
	Refuse  settings.Refusal // of every change

	Tried []page.NetworkChoice
	Kept  []string // tokens
}

// NetworkToken confirms what Network has on trial.
const NetworkToken = "0123456789abcdef"

// Port is the page's way to it.
func (n *Network) Port() settings.Network {
	p := settings.Network{State: func(context.Context) page.NetworkState { return n.Stands }}
	if n.Foreign {
		return p
	}
	p.Try = func(_ context.Context, c page.NetworkChoice) (string, settings.Refusal) {
		n.Tried = append(n.Tried, c)
		if n.Refuse.Sentence != "" {
			return "", n.Refuse
		}
		n.Stands.Trial, n.Stands.Left = &c, 88*time.Second
		return NetworkToken, settings.Refusal{}
	}
	p.Confirm = func(_ context.Context, token string) settings.Refusal {
		if token != NetworkToken || n.Stands.Trial == nil {
			return settings.Refusal{Sentence: "network.late"}
		}
		n.Kept, n.Stands.Held, n.Stands.Trial = append(n.Kept, token), *n.Stands.Trial, nil
		return settings.Refusal{}
	}
	p.Recall = func(context.Context) settings.Refusal {
		if n.Stands.Trial == nil {
			return settings.Refusal{Sentence: "network.late"}
		}
		n.Stands.Trial = nil
		return settings.Refusal{}
	}
	return p
}
