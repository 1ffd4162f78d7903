package settings

import (
	"context"

	"github.com/pronto-pbx/pronto/ui/page"
)

// Network is the page's way to the network of the box.
type Network struct {
	// State tells how it stands. It says so too when who owns the network does not answer.
	State func(context.Context) page.NetworkState
	// Try puts a choice in force until somebody confirms it or its time is over; who has the token can. It takes some
	// seconds. Nil: the system owns the network, and the page only looks.
	Try     func(context.Context, page.NetworkChoice) (token string, no Refusal)
	Confirm func(ctx context.Context, token string) Refusal
	Recall  func(context.Context) Refusal
}
