"""The options of kubectl (1.32 by its help; oc adds its own), helm 3 and kubeletctl."""

from agent.intent.options import parse_commands

_PRINT = "allow-missing-template-keys o,output= show-managed-fields template="
_FILES = "f,filename= k,kustomize= R,recursive"
_WRITE = f"dry-run? field-manager= save-config validate? {_PRINT}"

_KUBECTL = """
run: annotations= attach cascade? command dry-run? env= expose field-manager= force generator= grace-period= hostport=
 image= image-pull-policy= l,labels= leave-stdin-open limits= override-type= overrides= pod-running-timeout= port=
 privileged q,quiet restart= rm save-config serviceaccount= i,stdin timeout= t,tty wait requests= schedule= $files
 $print
create: edit raw= l,selector= windows-line-endings record $files $write
create deployment, create deploy: image= port= r,replicas= $write
create job: from= image= $write
create cronjob, create cj: image= restart= schedule= $write
create token: audience= bound-object-kind= bound-object-name= bound-object-uid= duration= $print
create clusterrolebinding: clusterrole= group= serviceaccount= user= $write
create rolebinding: clusterrole= group= role= serviceaccount= user= $write
create clusterrole: aggregation-rule= non-resource-url= resource= resource-name= verb= $write
create role: resource= resource-name= verb= $write
create secret generic: append-hash from-env-file= from-file= from-literal= type= $write
create secret docker-registry: append-hash docker-email= docker-password= docker-server= docker-username= from-file=
 $write
create secret tls: append-hash cert= key= $write
create secret *:
create serviceaccount, create sa: $write
create namespace, create ns: $write
create configmap, create cm: append-hash from-env-file= from-file= from-literal= $write
create service, create svc *: $write
create ingress, create ing: annotation= class= default-backend= rule= $write
create quota, create resourcequota: hard= scopes= $write
create priorityclass, create pc: description= global-default preemption-policy= value= $write
create poddisruptionbudget, create pdb: max-unavailable= min-available= selector= $write
apply: all cascade? force force-conflicts grace-period= openapi-patch overwrite prune prune-allowlist=
 prune-whitelist= record l,selector= server-side subresource= timeout= wait $files $write
apply edit-last-applied: l,selector= windows-line-endings $files $write
apply set-last-applied: create-annotation $files $write
apply view-last-applied: all l,selector= $files $print
replace: cascade? force grace-period= raw= subresource= timeout= wait $files $write
patch: local p,patch= patch-file= record subresource= type= $files $write
edit: output-patch record subresource= windows-line-endings $files $write
delete: all A,all-namespaces cascade? dry-run? field-selector= force grace-period= ignore-not-found i,interactive now
 raw= l,selector= timeout= wait o,output= $files
exec: c,container= pod-running-timeout= q,quiet i,stdin t,tty f,filename=
attach: c,container= pod-running-timeout= q,quiet i,stdin t,tty
debug: arguments-only attach c,container= copy-to= custom= env= image= image-pull-policy= keep-annotations
 keep-init-containers keep-labels keep-liveness keep-readiness keep-startup profile= q,quiet replace same-node
 set-image= share-processes i,stdin target= t,tty f,filename= as-root as-user= keep-node one-container to-namespace=
 node-name= preserve-pod no-keep-annotations o,output=
cp: c,container= no-preserve retries=
proxy: accept-hosts= accept-paths= address= api-prefix= append-server-path disable-filter keepalive= p,port=
 reject-methods= reject-paths= u,unix-socket= w,www= P,www-prefix=
port-forward: address= pod-running-timeout=
get: A,all-namespaces chunk-size= field-selector= ignore-not-found L,label-columns= no-headers output-watch-events
 raw= l,selector= server-print show-kind show-labels sort-by= subresource= w,watch watch-only $files $print
describe: A,all-namespaces chunk-size= l,selector= show-events $files
logs: all-containers all-pods c,container= f,follow ignore-errors insecure-skip-tls-verify-backend limit-bytes=
 max-log-requests= pod-running-timeout= prefix p,previous l,selector= since= since-time= tail= timestamps
label: all A,all-namespaces dry-run? field-manager= field-selector= list local overwrite record resource-version=
 l,selector= $files $print
annotate: all A,all-namespaces dry-run? field-manager= field-selector= list local overwrite record
 resource-version= l,selector= $files $print
expose: cluster-ip= external-ip= l,labels= load-balancer-ip= name= override-type= overrides= port= protocol=
 selector= session-affinity= target-port= type= $files $write
set env: all c,containers= e,env= from= keys= list local overwrite prefix= resolve l,selector= dry-run?
 field-manager= $files $print
set image: all local record l,selector= dry-run? field-manager= $files $print
set resources: all c,containers= limits= local record requests= l,selector= dry-run? field-manager= $files $print
set serviceaccount, set sa: all local record dry-run? field-manager= $files $print
set subject: all group= local serviceaccount= user= l,selector= dry-run? field-manager= $files $print
set selector: all local record resource-version= dry-run? field-manager= $files $print
rollout restart: field-manager= l,selector= $files $print
rollout pause: field-manager= l,selector= $files $print
rollout resume: field-manager= l,selector= $files $print
rollout undo: dry-run? to-revision= l,selector= $files $print
rollout history: revision= l,selector= $files $print
rollout status: revision= timeout= w,watch l,selector= $files
scale: all current-replicas= dry-run? record replicas= resource-version= l,selector= timeout= $files $print
autoscale: cpu-percent= max= min= name= cpu= memory= $files $write
auth can-i: A,all-namespaces list no-headers q,quiet subresource=
auth reconcile: dry-run? remove-extra-permissions remove-extra-subjects $files $print
auth whoami: $print
certificate approve: force $files $print
certificate deny: force $files $print
cluster-info:
cluster-info dump: A,all-namespaces namespaces= output-directory= pod-running-timeout= $print
config view: flatten merge minify raw $print
config get-contexts: no-headers o,output=
config set-credentials: auth-provider= auth-provider-arg= client-certificate= client-key= embed-certs exec-api-version=
 exec-arg= exec-command= exec-env= exec-interactive-mode= exec-provide-cluster-info password= token= username=
config set-cluster: certificate-authority= embed-certs insecure-skip-tls-verify proxy-url= server= tls-server-name=
config set-context: cluster= current namespace= user=
config set: set-raw-bytes
config *:
drain: chunk-size= delete-emptydir-data delete-local-data disable-eviction dry-run? force grace-period=
 ignore-daemonsets pod-selector= l,selector= skip-wait-for-delete-timeout= timeout=
cordon: dry-run? l,selector=
uncordon: dry-run? l,selector=
taint: all dry-run? field-manager= overwrite l,selector= validate? $print
top node, top nodes, top no: no-headers l,selector= show-capacity sort-by= use-protocol-buffers
top pod, top pods, top po: A,all-namespaces containers field-selector= no-headers l,selector= sort-by= sum
 use-protocol-buffers show-swap
events: A,all-namespaces chunk-size= for= no-headers types= w,watch $print
wait: all A,all-namespaces field-selector= for= local l,selector= timeout= $files $print
diff: concurrency= field-manager= force-conflicts prune prune-allowlist= l,selector= server-side show-managed-fields
 $files
kustomize: as-current-user enable-alpha-plugins enable-helm e,env= helm-api-versions= helm-command= helm-debug
 helm-kube-version= load-restrictor= mount= network network-name= o,output=
explain: api-version= o,output= recursive
api-resources: api-group= cached categories= namespaced no-headers o,output= sort-by= verbs=
api-versions:
options:
version: client o,output= short
plugin *: name-only
completion:
"""

# What oc has beside kubectl's.
_OC = """
rsh !: c,container= f,filename= no-tty T shell= timeout= t,tty
rsync: c,container= compress delete exclude= include= no-perms progress q,quiet strategy= w,watch
login: c,certificate-authority? p,password= token= u,username= w,web callback-port= exec-plugin= oidc-issuer-url=
 client-id=
project: q,quiet short
projects: q,quiet
whoami: c,show-context show-console show-server t,show-token
new-app: allow-missing-imagestream-tags allow-missing-images as-deployment-config as-test code= context-dir=
 docker-image=
 e,env= f,file= i,image-stream= image= import-mode= l,labels= name= p,param= strategy= template= $files $write
import-image: all confirm from= $write
process: f,filename= l,labels= local o,output= p,param= param-file= parameters raw
extract: confirm keys= to= f,filename=
adm policy add-scc-to-user: z,serviceaccount= dry-run? rolebinding-name= $print
adm policy add-scc-to-group: z,serviceaccount= dry-run? rolebinding-name= $print
adm policy add-cluster-role-to-user: z,serviceaccount= dry-run? rolebinding-name= $print
adm policy add-cluster-role-to-group: z,serviceaccount= dry-run? rolebinding-name= $print
adm policy add-role-to-user: z,serviceaccount= role-namespace= dry-run? rolebinding-name= $print
adm policy add-role-to-group: z,serviceaccount= role-namespace= dry-run? rolebinding-name= $print
adm policy *:
adm must-gather: all-images dest-dir= image= image-stream= node-name= node-selector= timeout=
adm node-logs: boot= case-sensitive grep= l,selector= o,output= path= raw role= since= tail= u,unit= until= unify
adm *:
policy add-role-to-user: z,serviceaccount= role-namespace=
create token, serviceaccounts get-token, sa get-token: audience= duration= $print
"""

_INHERITED = """
alsologtostderr as= as-group= as-uid= as-user-extra= cache-dir= certificate-authority= client-certificate= client-key=
 cluster= context= disable-compression insecure-skip-tls-verify kubeconfig= kuberc= log-backtrace-at= log-dir= log-file=
 log-flush-frequency= logtostderr match-server-version n,namespace= password= profile= profile-output=
 request-timeout= s,server= stderrthreshold= tls-server-name= token= user= username= v,--v= vmodule=
 warnings-as-errors add-dir-header skip-headers h,help
"""

_SETS = {"print": _PRINT, "files": _FILES, "write": _WRITE}
KUBECTL = parse_commands(_KUBECTL, inherited=_INHERITED, **_SETS)
OC = parse_commands(_KUBECTL + _OC, inherited=_INHERITED + " config= loglevel=", **_SETS)

_CHART = """
api-versions= atomic rollback-on-failure ca-file= cert-file= create-namespace dependency-update description= devel
 disable-openapi-validation dry-run? enable-dns force force-conflicts force-replace g,generate-name hide-secret
 hide-notes insecure-skip-tls-verify key-file= keyring= l,labels= name-template= no-hooks o,output= pass-credentials
 password= plain-http post-renderer= post-renderer-args= render-subchart-notes replace repo= server-side? set= set-file=
 set-json= set-literal= set-string= skip-crds skip-schema-validation take-ownership timeout= username= f,values=
 verify version= wait? wait-for-jobs
"""

_HELM = """
install: $chart
upgrade: cleanup-on-fail history-max= i,install reset-then-reuse-values reset-values reuse-values $chart
template: a,--api-versions= include-crds is-upgrade kube-version= output-dir= release-name s,show-only= skip-tests
 validate $chart
lint: quiet set= set-file= set-json= set-literal= set-string= strict f,values= with-subcharts
plugin install, plugin add: version= verify keyring=
plugin ls, plugin list: t,type=
plugin *:
pull, fetch: ca-file= cert-file= d,destination= devel insecure-skip-tls-verify key-file= keyring= pass-credentials
 password= plain-http prov repo= untar untardir= username= verify version=
get *: a,all o,output= revision= template=
ls, list: all-namespaces A,all-namespaces a,all c,time-format= d,date f,filter= m,max= no-headers offset= o,output=
 r,reverse l,selector= q,short superseded uninstalled deployed failed pending
rollback: cleanup-on-fail dry-run? force history-max= no-hooks recreate-pods timeout= wait wait-for-jobs
uninstall, delete, del, un: cascade= description= dry-run ignore-not-found keep-history no-hooks timeout= wait
test: filter= hide-notes logs timeout=
status: o,output= revision= show-desc show-resources
history, hist: max= o,output=
repo add: allow-deprecated-repos ca-file= cert-file= force-update insecure-skip-tls-verify key-file= no-update
 pass-credentials password= password-stdin timeout= username=
repo *:
registry login: ca-file= cert-file= insecure key-file= p,password= password-stdin plain-http u,username=
registry *:
dependency, dep *: keyring= skip-refresh verify
search *: devel f,fail-on-no-result list-repo-url max-col-width= o,output= r,regexp version= l,versions
show, inspect *: devel repo= version= jsonpath=
create: p,starter=
package: app-version= u,dependency-update d,destination= key= keyring= passphrase-file= sign version=
push: ca-file= cert-file= insecure-skip-tls-verify key-file= plain-http
verify: keyring=
env:
version: client short template=
completion:
"""

HELM = parse_commands(
    _HELM,
    inherited="burst-limit= color= colour= content-cache= debug h,help kube-apiserver= kube-as-group= kube-as-user= "
    "kube-ca-file= kube-context= kube-insecure-skip-tls-verify kube-tls-server-name= kube-token= kubeconfig= "
    "n,namespace= qps= registry-config= repository-cache= repository-config=",
    chart=_CHART,
)

_KUBELETCTL = """
exec: p,pod= c,container= n,namespace= u,uid=
run: p,pod= c,container= n,namespace= u,uid=
attach: p,pod= c,container= n,namespace= u,uid=
portForward: p,pod= n,namespace=
containerLogs: p,pod= c,container= n,namespace=
scan *:
pods:
"""

KUBELETCTL = parse_commands(
    _KUBELETCTL,
    inherited="cacert= cidr= config= s,server= port= http i,insecure r,raw t,token= f,file= body= v,verbose",
)
