package updater

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
)

// Vendor is who releases come from.
type Vendor interface {
	// Online is the vendor's server, as a box sees it that follows a channel.
	Online(channel string) Source
	// Local is a bundle. Errors are those of package release: it is none.
	Local(bundle io.ReaderAt, size int64, channel string) (Source, error)
	// Stale reports that the vendor's signatures have been missing for so long that somebody should look.
	Stale(now time.Time) bool
}

// Earlier makes parts out of the one that runs and a delta, so that little is fetched.
type Earlier interface {
	// Running opens the content of the slot that runs. Who opens it closes it.
	Running(ctx context.Context) (Content, error)
	// Rebuild writes the new part to w. An error is no reason to give the release up: the whole is fetched then.
	Rebuild(ctx context.Context, w io.Writer, running io.ReaderAt, delta io.ReaderAt, size int64) error
}

// Content is something to be read.
type Content interface {
	io.ReaderAt
	io.Closer
}

// Downloads is where what was fetched lies until it is installed.
type Downloads interface {
	// Open opens or makes one. Who opens it closes it.
	Open(name string) (File, error)
	// Rename gives it another name, in the place of what had that.
	Rename(from, to string) error
	// Clear removes all but some.
	Clear(but ...string) error
	// Free is for how many bytes there is room.
	Free() (int64, error)
}

// File is one that grows.
type File interface {
	install.Download
	io.Closer
}

// Refuser shows whoever stands at the box that what was brought was not taken.
type Refuser interface {
	Refuse(ctx context.Context) error
}

// Config is what an updater is made of.
type Config struct {
	Log     *slog.Logger
	Slots   Slots
	Fit     Fit
	Vendor  Vendor // nil: updates are off, and what is on trial is judged all the same
	Refuser Refuser
	Earlier Earlier // nil: the whole is fetched

	Box     release.Box // Model and EEPROM come from Slots where they are empty here
	Backend string      // for the page: card, deb, none, fake
	Off     remote.Off  // why nothing is ever installed; empty: it is
	Auto    bool        // whether releases are installed by themselves, until the owner says otherwise
	// Outlive says that calls outlive a new release: the exchange need not promise that there are none.
	Outlive bool
	Dir     string // of what outlives a restart
	Sticks  string // what bundles at hand must lie below; empty: none

	Disk      keep.Disk // of Dir
	Downloads Downloads
	Now       func() time.Time // the time of day; it may jump
	Draw      func() float64   // a random number from 0 to 1
}
