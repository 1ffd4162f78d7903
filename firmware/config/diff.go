package config

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is one difference between two configurations. Secrets are stars on both sides.
type Change struct {
	Path string // e.g. queues[sales].ring: list entries by their id or the code that is dialled, where they have one
	Kind ChangeKind
	Old  string // empty when added
	New  string // empty when removed
}

// ChangeKind says what happened to a field or a list entry.
type ChangeKind string

// The kinds of change.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
	Moved   ChangeKind = "moved" // the entries of a list are the same, in another order
)

// String is one line for a console.
func (c Change) String() string {
	switch c.Kind {
	case Added:
		return c.Path + " added: " + c.New
	case Removed:
		return c.Path + " removed: " + c.Old
	default:
		return fmt.Sprintf("%s %s: %s -> %s", c.Path, c.Kind, c.Old, c.New)
	}
}

// Diff lists what differs between two configurations, in the order of the file's fields. Missing and
// empty lists are the same. It returns nothing exactly when both say the same.
func Diff(a, b Config) []Change {
	var d differ
	d.compare("", reflect.ValueOf(a), reflect.ValueOf(b))
	return d.found
}

type differ struct{ found []Change }

func (d *differ) add(kind ChangeKind, path, old, now string) {
	d.found = append(d.found, Change{Path: path, Kind: kind, Old: old, New: now})
}

func (d *differ) compare(path string, a, b reflect.Value) {
	switch {
	case isText(a.Type()):
	case a.Kind() == reflect.Struct:
		for i := range a.NumField() {
			d.compare(join(path, fieldName(a.Type().Field(i))), a.Field(i), b.Field(i))
		}
		return
	case a.Kind() == reflect.Map:
		d.entries(path, mapKeys(a), mapKeys(b), func(v reflect.Value, key string) reflect.Value {
			return v.MapIndex(reflect.ValueOf(key).Convert(v.Type().Key()))
		}, a, b)
		return
	case a.Kind() == reflect.Slice && a.Type().Elem().Kind() == reflect.Struct && !isText(a.Type().Elem()):
		ka, kb := listKeys(a), listKeys(b)
		if ka == nil || kb == nil {
			ka, kb = positions(a), positions(b)
		}
		d.entries(path, ka, kb, func(v reflect.Value, key string) reflect.Value {
			if keys := listKeys(v); keys != nil && slices.Contains(keys, key) {
				return v.Index(slices.Index(keys, key))
			}
			return v.Index(slices.Index(positions(v), key))
		}, a, b)
		d.order(path, ka, kb)
		return
	}
	if raw(a) != raw(b) {
		d.add(Changed, path, shown(a), shown(b))
	}
}

// entries compares two lists whose entries have keys.
func (d *differ) entries(path string, ka, kb []string, at func(v reflect.Value, key string) reflect.Value, a, b reflect.Value) {
	for _, k := range ka {
		where := path + "[" + k + "]"
		if slices.Contains(kb, k) {
			d.compare(where, at(a, k), at(b, k))
		} else {
			d.add(Removed, where, shown(at(a, k)), "")
		}
	}
	for _, k := range kb {
		if !slices.Contains(ka, k) {
			d.add(Added, path+"["+k+"]", "", shown(at(b, k)))
		}
	}
}

// order reports entries that both lists have and that stand in another order.
func (d *differ) order(path string, ka, kb []string) {
	stayed := slices.DeleteFunc(slices.Clone(ka), func(k string) bool { return !slices.Contains(kb, k) })
	now := slices.DeleteFunc(slices.Clone(kb), func(k string) bool { return !slices.Contains(ka, k) })
	if !slices.Equal(stayed, now) {
		d.add(Moved, path, list(stayed), list(now))
	}
}

// keyField is the field by which people tell the entries of a list apart: their id, or else the code that is dialled;
// empty when they have neither.
func keyField(entry reflect.Type) string {
	for _, name := range []string{"ID", "Code"} {
		if _, ok := entry.FieldByName(name); ok {
			return name
		}
	}
	return ""
}

// listKeys are the keys of a list's entries; nil when they have none, or one that is not alone.
func listKeys(v reflect.Value) []string {
	field := keyField(v.Type().Elem())
	if field == "" {
		return nil
	}
	keys := make([]string, v.Len())
	for i := range keys {
		keys[i] = v.Index(i).FieldByName(field).String()
		if keys[i] == "" || slices.Index(keys, keys[i]) != i {
			return nil
		}
	}
	return keys
}

func positions(v reflect.Value) []string {
	keys := make([]string, v.Len())
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	return keys
}

func mapKeys(v reflect.Value) []string {
	var keys []string
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}

func fieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// isText reports a type that is one word in the file although it is a struct, such as an address.
func isText(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// raw is a value's whole text, secrets included; it never leaves this file.
func raw(v reflect.Value) string {
	if v.Type() == reflect.TypeFor[Secret]() {
		return v.Convert(reflect.TypeFor[string]()).String()
	}
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = raw(v.Index(i))
		}
		return strings.Join(parts, "\x00") + "\x00" // else one entry with a comma equals two
	}
	return shown(v)
}

// shown is a value as people may see it: secrets are stars, fields left at zero are left out.
func shown(v reflect.Value) string {
	switch {
	case v.Type() == reflect.TypeFor[Secret]() && v.Len() == 0:
		return ""
	case isText(v.Type()):
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return err.Error()
		}
		return string(text)
	case v.Kind() == reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				parts = append(parts, fieldName(v.Type().Field(i))+": "+shown(f))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case v.Kind() == reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = shown(v.Index(i))
		}
		return list(parts)
	case v.Kind() == reflect.Map:
		var parts []string
		for _, k := range mapKeys(v) {
			parts = append(parts, k+": "+shown(v.MapIndex(reflect.ValueOf(k).Convert(v.Type().Key()))))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return fmt.Sprint(v.Interface())
	}
}

func list(parts []string) string { return "[" + strings.Join(parts, ", ") + "]" }

// Clone returns a copy that shares nothing with c, so that a draft can be edited while others read.
func (c *Config) Clone() Config {
	return clone(reflect.ValueOf(*c)).Interface().(Config)
}

func clone(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch {
	case isText(v.Type()):
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(clone(v.Field(i)))
		}
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(clone(v.Index(i)))
		}
	case v.Kind() == reflect.Map && !v.IsNil():
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, k := range v.MapKeys() {
			out.SetMapIndex(k, clone(v.MapIndex(k)))
		}
	}
	return out
}
