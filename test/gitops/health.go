package gitops

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	lua "github.com/yuin/gopher-lua"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// Health is Argo CD's word for how an object stands.
type Health string

// Words that Argo CD knows.
const (
	Healthy     Health = "Healthy"
	Progressing Health = "Progressing"
	Degraded    Health = "Degraded"
	Suspended   Health = "Suspended"
)

// Script is a health script of Argo CD.
type Script string

// LoadScript reads a script from a file.
func LoadScript(path string) (Script, error) {
	text, err := os.ReadFile(path)
	return Script(text), err
}

// Of runs the script on an object, with the libraries that Argo CD gives to scripts.
func (s Script) Of(obj client.Object) (health Health, message string, err error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return "", "", err
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return "", "", err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			return "", "", err
		}
	}
	state.SetGlobal("obj", toLua(state, tree))
	if err := state.DoString(string(s)); err != nil {
		return "", "", err
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script returns a %s, not a table", state.Get(-1).Type())
	}
	health, message = Health(result.RawGetString("status").String()), result.RawGetString("message").String()
	if !slices.Contains([]Health{Healthy, Progressing, Degraded, Suspended}, health) {
		return "", "", fmt.Errorf("the script says %q, which Argo CD does not know", health)
	}
	return health, message, nil
}

// toLua turns decoded JSON into values of Lua.
func toLua(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		table := state.CreateTable(len(v), 0)
		for _, item := range v {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(v))
		for name, item := range v {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// Want is the health that follows from an object's conditions. Its generation must have been looked at.
func Want(obj client.Object, conditions []metav1.Condition) Health {
	is := func(conditionType string) bool { return apimeta.IsStatusConditionTrue(conditions, conditionType) }
	switch {
	case is(v1alpha1.ConditionStalled):
		return Degraded
	case is(v1alpha1.ConditionReconciling), !obj.GetDeletionTimestamp().IsZero():
		return Progressing
	case is(v1alpha1.ConditionReady):
		return Healthy
	default:
		return Suspended
	}
}
