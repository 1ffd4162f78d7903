package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ota/repository"
)

// begin draws keys and makes a repository.
func (v *vendor) begin(_ context.Context, flags *flag.FlagSet, args []string) error {
	if err := parse(flags, args); err != nil {
		return err
	}
	if files, err := os.ReadDir(v.keys); err == nil && len(files) > 0 {
		return fmt.Errorf("%s holds keys already", v.keys)
	}
	phrase, err := v.phrase()
	if err != nil {
		return err
	}
	keys, err := repository.NewKeys()
	if err != nil {
		return err
	}
	for _, rule := range repository.Rules() {
		err := v.save(rule.Role, keys[rule.Role], phrase)
		if err == nil {
			err = v.adopt(rule.Role, rule.Keys)
		}
		if err != nil {
			return err
		}
	}
	if _, err := repository.Create(v.repo, keys, time.Now); err != nil {
		return err
	}
	fmt.Fprintf(v.out, "repository in %s, keys in %s\n", v.repo, v.keys)
	for _, rule := range repository.Rules() {
		fmt.Fprintf(v.out, "  %-9s %d of %d keys sign, for %d days\n", rule.Role, rule.Threshold, rule.Keys, rule.Lifetime/(24*time.Hour))
	}
	fmt.Fprintf(v.out, "images take %s/metadata/1.root.json as their -vendor-root\n", v.repo)
	return nil
}

func (v *vendor) refresh(_ context.Context, flags *flag.FlagSet, args []string) error {
	roles := flags.String("roles", "", "further roles, with commas between them: targets, stable, beta, security")
	if err := parse(flags, args); err != nil {
		return err
	}
	further := strings.FieldsFunc(*roles, func(r rune) bool { return r == ',' || r == ' ' })
	return v.signed(func(r *repository.Repository, keys repository.Signers) error { return r.Refresh(keys, further...) }, further...)
}

// errDue has a job that runs every day fail where somebody should look.
var errDue = errors.New("signatures are due")

func (v *vendor) due(_ context.Context, flags *flag.FlagSet, args []string) error {
	if err := parse(flags, args); err != nil {
		return err
	}
	r, err := repository.Open(v.repo, time.Now)
	if err != nil {
		return err
	}
	soon, over, err := r.Due(time.Now())
	if err != nil {
		return err
	}
	if len(soon) > 0 {
		fmt.Fprintf(v.out, "to be signed again: %s\n", strings.Join(soon, ", "))
	}
	if len(over) > 0 {
		fmt.Fprintf(v.out, "expired, so that no box takes an update: %s\n", strings.Join(over, ", "))
	}
	if len(soon)+len(over) > 0 {
		return errDue
	}
	return nil
}

// rotate draws new keys for a role. They are on disk before anything is signed with them.
func (v *vendor) rotate(_ context.Context, flags *flag.FlagSet, args []string) error {
	role := flags.String("role", "", "that gets new keys: root, targets, snapshot, timestamp, stable, beta or security")
	same := flags.Bool("same", false, "keep the keys of root, and sign it for another term")
	if err := parse(flags, args); err != nil {
		return err
	}
	all := []string{repository.Root, repository.Targets, repository.Snapshot, repository.Timestamp}
	if slices.Contains(repository.Channels(), *role) {
		all = append(all, *role)
	} else if !slices.Contains(all, *role) {
		return fmt.Errorf("-role %q: there is none", *role)
	}
	if *same && *role != repository.Root {
		return errors.New("-same is for root; others are signed again by refresh")
	}
	r, err := repository.Open(v.repo, time.Now)
	if err != nil {
		return err
	}
	old, err := v.load(all...)
	if err != nil {
		return err
	}
	if *same {
		return r.Rotate(repository.Root, old, old)
	}
	fresh, err := repository.NewKeys()
	if err != nil {
		return err
	}
	phrase, err := v.phrase()
	if err != nil {
		return err
	}
	if err := v.save(*role, fresh[*role], phrase); err != nil {
		return err
	}
	if err := r.Rotate(*role, old, repository.Signers{*role: fresh[*role]}); err != nil {
		return err
	}
	if err := v.adopt(*role, len(fresh[*role])); err != nil {
		return fmt.Errorf("%w: the new keys are those named %s in %s", err, next, v.keys)
	}
	fmt.Fprintf(v.out, "%s has new keys; those of before are named .old in %s\n", *role, v.keys)
	return nil
}
