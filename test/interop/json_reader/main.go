// Reads one line per document: its base64, optionally the hex of a name, and whether to look in the object `item`.
// Writes how encoding/json reads the whole document, or the struct field of this name (see test/scenario/documents.py);
// "-" if it refuses the document, "absent" if the field was not set.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

func render(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return `"` + hex.EncodeToString([]byte(v)) + `"`
	case float64:
		return "#n" + strconv.FormatFloat(v, 'e', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = render(item)
		}
		return fmt.Sprintf("[%d|%s]", len(v), strings.Join(parts, ","))
	case map[string]any:
		parts := []string{}
		for name, item := range v {
			if item != nil {
				parts = append(parts, hex.EncodeToString([]byte(name))+":"+render(item))
			}
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	panic(fmt.Sprintf("a %T", v))
}

func whole(document []byte) string {
	var v any
	if json.Unmarshal(document, &v) != nil {
		return "-"
	}
	return render(v)
}

var types = map[string]reflect.Type{}

// The type of a struct with one field of this name; with `in`, of a struct that has such a struct as `item`.
func structOf(name string, in bool) reflect.Type {
	key := fmt.Sprint(in, name)
	if types[key] == nil {
		field := reflect.StructField{Name: "Field", Type: reflect.TypeFor[any](), Tag: reflect.StructTag("json:" + strconv.Quote(name))}
		if in {
			field = reflect.StructField{Name: "Field", Type: structOf(name, false), Tag: `json:"item"`}
		}
		types[key] = reflect.StructOf([]reflect.StructField{field})
	}
	return types[key]
}

func field(document []byte, name string, in bool) string {
	v := reflect.New(structOf(name, in))
	if json.Unmarshal(document, v.Interface()) != nil {
		return "-"
	}
	value := v.Elem().Field(0)
	if in {
		value = value.Field(0)
	}
	if value.IsNil() {
		return "absent"
	}
	return render(value.Interface())
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		document, err := base64.StdEncoding.DecodeString(words[0])
		if err != nil {
			panic(err)
		}
		if len(words) == 1 {
			fmt.Fprintln(out, whole(document))
			continue
		}
		name, err := hex.DecodeString(words[1])
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(out, field(document, string(name), words[2] == "true"))
	}
}
