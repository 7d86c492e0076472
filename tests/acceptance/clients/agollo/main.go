// agollo: reads, then listens.
package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"time"
	"sync"

	"github.com/apolloconfig/agollo/v4"
	"github.com/apolloconfig/agollo/v4/env/config"
	"github.com/apolloconfig/agollo/v4/storage"
)

const attempts = 20

type settings struct {
	Meta       string   `json:"meta"`
	App        string   `json:"app"`
	Folder     string   `json:"folder"`
	Namespaces []string `json:"namespaces"`
	Secret     string   `json:"secret"`
	Label      string   `json:"label"`
}

type line struct {
	Event     string      `json:"event"`
	Namespace string      `json:"namespace"`
	Key       string      `json:"key"`
	Value     interface{} `json:"value"`
}

var (
	out  = json.NewEncoder(os.Stdout)
	lock sync.Mutex
)

func tell(event, namespace, key string, value interface{}) {
	lock.Lock()
	defer lock.Unlock()
	if err := out.Encode(line{event, namespace, key, value}); err != nil {
		panic(err)
	}
}

type listener struct{}

func (listener) OnChange(event *storage.ChangeEvent) {
	for key, change := range event.Changes {
		tell("changed", event.Namespace, key, change.NewValue)
	}
}

func (listener) OnNewestChange(*storage.FullChangeEvent) {}

// start tries again: agollo asks for the servers beside its first read, which finds none when the answer comes between.
func start(told settings) agollo.Client {
	for attempt := 1; ; attempt++ {
		client, err := agollo.StartWithConfig(func() (*config.AppConfig, error) {
			return &config.AppConfig{
				AppID:            told.App,
				Cluster:          "default",
				IP:               told.Meta,
				NamespaceName:    strings.Join(told.Namespaces, ","),
				Secret:           told.Secret,
				Label:            told.Label,
				IsBackupConfig:   true,
				BackupConfigPath: told.Folder,
				MustStart:        true,
			}, nil
		})
		if err == nil {
			return client
		}
		if attempt == attempts {
			panic(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func main() {
	var told settings
	if err := json.Unmarshal([]byte(os.Args[1]), &told); err != nil {
		panic(err)
	}
	client := start(told)
	client.AddChangeListener(listener{})
	for _, namespace := range told.Namespaces {
		client.GetConfigCache(namespace).Range(func(key, value interface{}) bool {
			tell("value", namespace, key.(string), value)
			return true
		})
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		panic(err)
	}
}
