// Kueue as tests run it: its own controllers, scheduler and webhooks for batch Jobs, put together without the integrations
// of other kinds, which would take most of the time to build. Its cmd/kueue is followed as closely as that allows.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	configapi "sigs.k8s.io/kueue/apis/config/v1beta2"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta2"
	qcache "sigs.k8s.io/kueue/pkg/cache/queue"
	schdcache "sigs.k8s.io/kueue/pkg/cache/scheduler"
	"sigs.k8s.io/kueue/pkg/config"
	"sigs.k8s.io/kueue/pkg/constants"
	"sigs.k8s.io/kueue/pkg/controller/core"
	"sigs.k8s.io/kueue/pkg/controller/core/indexer"
	"sigs.k8s.io/kueue/pkg/controller/jobframework"
	_ "sigs.k8s.io/kueue/pkg/controller/jobs/job" // registers itself
	"sigs.k8s.io/kueue/pkg/scheduler"
	preemptexpectations "sigs.k8s.io/kueue/pkg/scheduler/preemption/expectations"
	"sigs.k8s.io/kueue/pkg/util/kubeversion"
	"sigs.k8s.io/kueue/pkg/webhooks"
)

const module = "sigs.k8s.io/kueue"

func main() {
	file := flag.String("config", "", "Kueue's configuration")
	tell := flag.Bool("version", false, "say the version and end")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	if *tell {
		fmt.Println(version())
		return
	}
	if err := run(ctrl.SetupSignalHandler(), *file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// version is that of Kueue's module, as Go wrote it into the program.
func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return ""
}

func run(ctx context.Context, file string) error {
	scheme := apiruntime.NewScheme()
	for _, add := range []func(*apiruntime.Scheme) error{clientgoscheme.AddToScheme, kueue.AddToScheme, configapi.AddToScheme} {
		utilruntime.Must(add(scheme))
	}
	options, cfg, err := config.Load(scheme, file)
	if err != nil {
		return err
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(cfg.FeatureGates); err != nil {
		return err
	}
	config.AddWebhookSettingsTo(&options, &cfg)
	kubeConfig, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	kubeConfig.QPS, kubeConfig.Burst = -1, -1
	mgr, err := ctrl.NewManager(kubeConfig, options)
	if err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("readyz", mgr.GetWebhookServer().StartedChecker()); err != nil {
		return err
	}
	if err := setup(ctx, mgr, &cfg); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// setup adds what cmd/kueue adds, in its order.
func setup(ctx context.Context, mgr ctrl.Manager, cfg *configapi.Configuration) error {
	cache := schdcache.New(mgr.GetClient())
	requeuer := qcache.NewRequeuer()
	if err := mgr.Add(requeuer); err != nil {
		return err
	}
	expectations := preemptexpectations.New()
	queues := qcache.NewManager(mgr.GetClient(), cache, requeuer, qcache.WithPreemptionExpectations(expectations))
	if err := indexer.Setup(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	frameworks := jobframework.WithEnabledFrameworks(cfg.Integrations.Frameworks)
	if err := jobframework.SetupIndexes(ctx, mgr.GetFieldIndexer(), frameworks); err != nil {
		return err
	}
	if name, err := core.SetupControllers(mgr, queues, cache, cfg, nil, expectations, nil); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := setupJobs(ctx, mgr, cfg, cache, queues, frameworks); err != nil {
		return err
	}
	if name, err := webhooks.Setup(mgr, nil); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	go queues.CleanUpOnContext(ctx)
	go cache.CleanUpOnContext(ctx)
	return mgr.Add(scheduler.New(queues, cache, mgr.GetClient(), mgr.GetEventRecorderFor(constants.AdmissionName),
		scheduler.WithFairSharing(cfg.FairSharing),
		scheduler.WithPreemptionExpectations(expectations),
	))
}

func setupJobs(ctx context.Context, mgr ctrl.Manager, cfg *configapi.Configuration, cache *schdcache.Cache,
	queues *qcache.Manager, frameworks jobframework.Option) error {
	client, err := discovery.NewDiscoveryClientForConfig(mgr.GetConfig())
	if err != nil {
		return err
	}
	versions := kubeversion.NewServerVersionFetcher(client)
	if err := versions.FetchServerVersion(); err != nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(cfg.ManagedJobsNamespaceSelector)
	if err != nil {
		return err
	}
	return jobframework.SetupControllers(ctx, mgr, ctrl.Log.WithName("setup"),
		frameworks,
		jobframework.WithManageJobsWithoutQueueName(cfg.ManageJobsWithoutQueueName),
		jobframework.WithKubeServerVersion(versions),
		jobframework.WithManagerName(constants.KueueName),
		jobframework.WithCache(cache),
		jobframework.WithQueues(queues),
		jobframework.WithManagedJobsNamespaceSelector(selector),
	)
}
