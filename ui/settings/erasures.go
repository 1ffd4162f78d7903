package settings

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Erasures is the page's way to having persons forgotten (GDPR art. 17).
type Erasures struct {
	// List is who was erased, the newest first, without saying who that was.
	List func(context.Context) []page.ErasedPerson
	// Look tells what an erasure of a number would find.
	Look func(context.Context, tel.Number) (page.Found, Refusal)
	// Erase has the box forget a person. A refusal that says that it goes on by itself is one too.
	Erase func(ctx context.Context, n tel.Number, why string, by By) (Refusal, error)
}
