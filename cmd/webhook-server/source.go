package main

import (
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
)

// newCluster makes a client of the cluster; nil for a server that runs without one.
func newCluster(cfg config) (kubernetes.Interface, error) {
	if cfg.channelsDir != "" {
		return nil, nil //nolint:nilnil // "none" is an answer here: such a server has a directory
	}
	restConfig, err := clientcmd.BuildConfigFromFlags("", cfg.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w; outside of one, set --kubeconfig or --channels-dir", err)
	}
	client, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return nil, fmt.Errorf("make a client of the cluster: %w", err)
	}
	return client, nil
}

func newSource(cfg config, cluster kubernetes.Interface, log logr.Logger) (webhookserver.Source, error) {
	if cfg.channelsDir != "" {
		return source.NewDirectory(cfg.channelsDir, log)
	}
	return source.NewKubernetes(cluster, cfg.runtimeNamespace, log)
}
