package recorder

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/store/badgerstore"
)

// erased is what the keeper knows of persons who were erased. The box's other process writes the list.
type erased struct {
	dir  string // empty: nobody is ever erased
	seen os.FileInfo
	list erasure.List
	is   *erasure.Match
}

// look reads the list when it has changed, and tells whether it has.
func (e *erased) look() (changed bool, err error) {
	if e.dir == "" {
		return false, nil
	}
	now, err := os.Stat(filepath.Join(e.dir, erasure.File))
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("erasures: %w", err)
	}
	if e.seen != nil && os.SameFile(now, e.seen) && now.ModTime().Equal(e.seen.ModTime()) && now.Size() == e.seen.Size() {
		return false, nil
	}
	l, err := erasure.Read(e.dir)
	if err != nil {
		return false, err
	}
	e.seen, e.list, e.is = now, l, l.Match()
	return true, nil
}

// without is a journal record without the persons who were erased: the journal may be an older one than the list.
func (e *erased) without(r journal.Record) []byte {
	if e.is == nil || e.is.Empty() {
		return r.Body
	}
	b, _ := e.is.JSON(r.Body, r.Wall)
	return b
}

// owes tells whether the list has somebody new for the records to forget; they are opened anew for that.
func (k *keeper) owes(db *badgerstore.DB) (bool, error) {
	changed, err := k.erased.look()
	if err != nil || !changed {
		return false, err
	}
	owing, err := db.Owing(k.erased.list)
	return len(owing) > 0, err
}

// erase has the records forget who is on the list.
func (k *keeper) erase(ctx context.Context, db *badgerstore.DB) error {
	owing, err := db.Owing(k.erased.list)
	if err != nil || len(owing) == 0 {
		return err
	}
	if err := db.Erase(ctx, owing, time.Now()); err != nil {
		return err
	}
	k.log.Info("persons are erased from the records", "erasures", len(owing))
	return nil
}
