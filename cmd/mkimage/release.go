package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"

	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/repository"
)

// dataOfNow is the version of what this source leaves on the disk of a box, and the oldest that it opens. Whoever changes
// it changes what a box can go back to: see Data of package release in ota.
var dataOfNow = imprint.Data{Writes: 1, Reads: 1}

// updateFlags say whose updates a system takes.
type updateFlags struct {
	root, url string
	epoch     uint32
	documents map[string][]byte // for the updater; none: updates are off
}

func (u *updateFlags) define(flags *flag.FlagSet) {
	flags.StringVar(&u.root, "vendor-root", "", "file with the vendor's keys, root.json of its repository; without it, and -update-url, updates are off")
	flags.StringVar(&u.url, "update-url", "", "where the vendor's repository lies")
	flags.Func("epoch", "of security: a box that has kept one takes no lower one (default 1)", func(text string) error {
		_, err := fmt.Sscanf(text, "%d", &u.epoch)
		return err
	})
	u.epoch = 1
}

// check reads what the flags name.
func (u *updateFlags) check() error {
	if u.root == "" && u.url == "" {
		return nil
	}
	if u.root == "" || u.url == "" {
		return errors.New("-vendor-root and -update-url go together: keys without a place, or a place without keys, give no updates")
	}
	at, err := url.Parse(u.url)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.RawQuery != "" || at.Fragment != "" || at.User != nil {
		return errors.Join(fmt.Errorf("-update-url %q is no address such as https://updates.example.org/pronto", u.url), err)
	}
	if p := at.Port(); p != "" && p != "80" && p != "443" {
		return fmt.Errorf("-update-url %q: the firewall of a box lets its updater reach ports 80 and 443 alone", u.url)
	}
	root, err := os.ReadFile(u.root)
	if err != nil {
		return fmt.Errorf("-vendor-root: %w", err)
	}
	if err := repository.Known(root); err != nil { // nobody else may sign for these boxes
		return fmt.Errorf("-vendor-root %s: %w", u.root, err)
	}
	u.documents = map[string][]byte{recipe.VendorRoot: root, recipe.UpdateURL: []byte(u.url + "\n")}
	return nil
}

// said is what whoever ships the image has to know.
func (u *updateFlags) said() string {
	if u.documents == nil {
		return "updates are off: neither VENDOR_ROOT nor UPDATE_URL names a vendor, and this takes none from anybody"
	}
	sum := sha256.Sum256(u.documents[recipe.VendorRoot])
	return fmt.Sprintf("updates from %s, by the keys of root.json %x", u.url, sum[:8])
}

// versionForm is a semantic version as a release has it.
var versionForm = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// release makes slot.img, with its sum, and what it is made of, in a directory.
func release(ctx context.Context, args []string, out, errs io.Writer) error {
	var f recipeFlags
	flags := flag.NewFlagSet("mkimage release", flag.ContinueOnError)
	flags.SetOutput(errs)
	f.define(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if !versionForm.MatchString(f.version) {
		return fmt.Errorf("-version %q is no version of a release, such as 1.4.2", f.version)
	}
	if f.updates.documents == nil {
		return errors.New("a release without -vendor-root and -update-url would be the last that its boxes take")
	}
	made, err := ingredients(ctx, f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	at := filepath.Join(f.out, "slot.img")
	size, err := card.WriteSlot(ctx, at, made.slot)
	if err != nil {
		return err
	}
	for name, b := range made.documents {
		if err := os.WriteFile(filepath.Join(f.out, name), b, 0o644); err != nil {
			return err
		}
	}
	sum, err := sumOf(at)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, release %s: %.1f MB, SHA-256 %s\n  %s\n", at, f.version, float64(size)/1e6, sum, f.updates.said())
	return nil
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
