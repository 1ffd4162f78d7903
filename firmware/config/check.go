package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Check returns every problem of a configuration that was put together by a program: defaults are filled
// in first, as Parse does, in a copy.
func (c *Config) Check() Problems {
	full := c.Clone()
	full.normalise()
	return full.Validate()
}

// Thing is the part of the configuration that a change's path belongs to and that can be taken back alone:
// an entry of a list with its id or code, such as queues[sales], or else a field of the first level, such as web.
func Thing(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		if end := strings.IndexByte(path, ']'); path[i] == '[' && end > i && hasKeys(path[:i]) {
			return path[:end+1]
		}
		return path[:i]
	}
	return path
}

// hasKeys reports a list of the first level whose entries have an id or a code.
func hasKeys(name string) bool {
	f, ok := topField(reflect.TypeFor[Config](), name)
	if !ok || f.Type.Kind() != reflect.Slice || f.Type.Elem().Kind() != reflect.Struct {
		return false
	}
	return keyField(f.Type.Elem()) != ""
}

func topField(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); fieldName(f) == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// TakeBack makes one thing of c what it is in from: other, missing, or there again, then at the end of its
// list. Errors: there is no such thing in either.
func (c *Config) TakeBack(from *Config, thing string) error {
	name, id, entry := strings.Cut(strings.TrimSuffix(thing, "]"), "[")
	f, ok := topField(reflect.TypeFor[Config](), name)
	if !ok || entry && !hasKeys(name) {
		return fmt.Errorf("%q is no part of the configuration", thing)
	}
	to, source := reflect.ValueOf(c).Elem().FieldByIndex(f.Index), clone(reflect.ValueOf(from).Elem().FieldByIndex(f.Index))
	if !entry {
		to.Set(source)
		return nil
	}
	here, there := indexOf(to, id), indexOf(source, id)
	switch {
	case here < 0 && there < 0:
		return fmt.Errorf("there is no %s in either configuration", thing)
	case there < 0:
		to.Set(reflect.AppendSlice(clone(to.Slice(0, here)), to.Slice(here+1, to.Len())))
	case here < 0:
		to.Set(reflect.Append(clone(to), source.Index(there)))
	default:
		to.Index(here).Set(source.Index(there))
	}
	return nil
}

// indexOf finds the entry of a list by its key; -1 without.
func indexOf(v reflect.Value, id string) int {
	for i := range v.Len() {
		if v.Index(i).FieldByName(keyField(v.Type().Elem())).String() == id {
			return i
		}
	}
	return -1
}
