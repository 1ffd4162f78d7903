package config

import (
	"encoding"
	"os"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// field is one that a file may have.
type field struct {
	path  string // such as .queues[].ring
	omits bool   // the file says nothing of it while it has its default
	value reflect.Value
	owner reflect.Type
}

// fields lists what a file may have below v, each struct before what is in it. Of lists and maps it looks at what an
// entry has; recursive types are followed once.
func fields(path string, v reflect.Value, inside map[reflect.Type]bool) (all []field) {
	for {
		switch v.Kind() {
		case reflect.Slice:
			path, v = path+"[]", reflect.Zero(v.Type().Elem())
			continue
		case reflect.Map:
			path, v = path+"{}", reflect.Zero(v.Type().Elem())
			continue
		case reflect.Pointer:
			v = reflect.Zero(v.Type().Elem())
			continue
		}
		break
	}
	if t := v.Type(); v.Kind() != reflect.Struct || inside[t] || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return nil
	}
	inside[v.Type()] = true
	defer delete(inside, v.Type())
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		f := field{path + "." + name, strings.Contains(options, "omitempty"), v.Field(i), v.Type()}
		all = append(append(all, f), fields(f.path, f.value, inside)...)
	}
	return all
}

// A release before this one refuses a file with a field that it does not know, and the box goes back to it when an
// update comes to nothing. So nothing is written that it does not know unless somebody has set it; and no field of
// v0.1.0 is gone, since its files are read for ever. testdata/v0.1.0.fields are the fields of that release.
func TestAFieldThatEarlierReleasesDoNotKnowIsLeftOutWhileItHasItsDefault(t *testing.T) {
	text, err := os.ReadFile("testdata/v0.1.0.fields")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"": true}
	for line := range strings.Lines(string(text)) {
		known[strings.TrimSpace(line)] = true
	}
	if len(known) < 300 {
		t.Fatalf("v0.1.0 had only %d fields", len(known))
	}
	now, later := map[string]bool{"": true}, 0
	for _, f := range fields("", reflect.ValueOf(Default()), map[reflect.Type]bool{}) {
		now[f.path] = true
		above := strings.TrimSuffix(strings.TrimSuffix(f.path[:strings.LastIndexByte(f.path, '.')], "[]"), "{}")
		if known[f.path] || !known[above] {
			continue // below what is left out
		}
		later++
		_, says := f.value.Interface().(yaml.IsZeroer)
		switch {
		case !f.omits:
			t.Errorf("%s (%v) came after v0.1.0: give it `omitempty`, and an IsZero where its default is not the zero value", f.path, f.owner)
		case !says && !f.value.IsZero():
			t.Errorf("%s (%v) is left out when it is zero, and then read as its default %v: give its type an IsZero", f.path, f.owner, f.value)
		}
	}
	for path := range known {
		if !now[path] {
			t.Errorf("%s is gone: a file of v0.1.0 that has it would be refused", path)
		}
	}
	t.Logf("%d fields of v0.1.0, %d came later", len(known)-1, later)
	if later == 0 {
		t.Error("nothing came later: the check checks nothing")
	}
}
