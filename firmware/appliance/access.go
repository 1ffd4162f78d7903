package appliance

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/audit"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// accessVersion is that of the file that keeps who may use the page.
const accessVersion = 1

// openAccess reads who may use the page. A file that is damaged was put aside, and the box can be claimed
// again: by who stands in its network with its label, as if it were new. The label's code is kept apart
// from it, where whoever builds the box can write it.
func (b *Box) openAccess() error {
	var err error
	if b.audit, err = audit.Open(b.opts.Dir); err != nil {
		b.log.Error("uses of the page are not written down until the disk takes them", "err", err)
	}
	file, label := filepath.Join(b.opts.Dir, "access.json"), filepath.Join(b.opts.Dir, "label.json")
	var kept access.State
	switch err := statefile.Load(file, accessVersion, &kept); {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, statefile.ErrDamaged):
		b.log.Error("who may use the page is lost; the box can be claimed again", "err", err)
		kept = access.State{}
	case err != nil:
		return err
	}
	var code access.Code
	switch err := statefile.Load(label, access.CodeVersion, &code); {
	case err == nil:
		kept.Code = code
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, statefile.ErrDamaged):
		code = ""
	default:
		return err
	}
	b.accounts, err = access.New(access.Config{
		Save: func(s access.State) error {
			if s.Code != code {
				if err := statefile.Save(label, access.CodeVersion, s.Code); err != nil {
					return err
				}
				code = s.Code
			}
			return statefile.Save(file, accessVersion, s)
		},
		Note: b.noteAccess,
	}, kept, time.Now().Add(b.opts.Powered-control.Uptime()))
	return err
}

// noteAccess writes the audit log, which the page can show and nobody can edit there.
func (b *Box) noteAccess(n access.Note) {
	e := tel.PageAccessed{At: n.At, What: string(n.What), User: n.User, Whom: n.Whom, From: n.From}
	body, err := json.Marshal(e)
	if err == nil {
		_, err = b.history.Append(e.Kind(), body)
	}
	err = errors.Join(err, b.audit.Append(e))
	if err != nil {
		b.log.Error("a use of the page is not written down", "what", n.What, "user", n.User, "from", n.From, "err", err)
		return
	}
	b.log.Info("page", "what", n.What, "user", n.User, "whom", n.Whom, "from", n.From)
}

// sayUnclaimed tells whoever looks at the console how the box gets its owner.
func (b *Box) sayUnclaimed() {
	if !b.accounts.Claimed() {
		b.log.Info("this box has no owner yet: open the address within an hour", "address", b.claimAt()[0])
	}
}

// accessCommands are what prontoctl can do about the page's owner: who reaches the control socket stands at
// the box.
func (b *Box) accessCommands(mux *http.ServeMux) {
	mux.HandleFunc("GET /claim", func(w http.ResponseWriter, _ *http.Request) {
		where := b.claimAt()
		answer := map[string]any{"claimed": b.accounts.Claimed(), "address": where[0], "others": where[1:]}
		if b.webTLS != nil {
			answer["https"], answer["fingerprint"] = b.foundAt(b.config().Web.TLSListen)[0], b.tlsSource.Fingerprint()
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("POST /reopen", func(w http.ResponseWriter, _ *http.Request) {
		b.accounts.Reopen()
		b.log.Warn("the box can be claimed again for an hour")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /now", func(w http.ResponseWriter, _ *http.Request) {
		doc, err := b.present.document()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(doc)
	})
}

// answering lists the people who can be chosen as what a user of the page is at the phones.
func (b *Box) answering() []page.Person {
	var all []page.Person
	for _, a := range b.config().Agents {
		all = append(all, page.Person{ID: a.ID, Name: a.Name})
	}
	return all
}
