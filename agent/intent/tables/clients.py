"""The options of the general clients that can speak to a daemon: curl 8, wget, netcat, grpcurl."""

from agent.intent.options import parse_table

CURL = parse_table("""
0,http1.0 1,tlsv1 2,sslv2 3,sslv3 4,ipv4 6,ipv6 a,append A,user-agent= b,cookie= B,use-ascii c,cookie-jar=
C,continue-at= d,data= D,dump-header= e,referer= E,cert= f,fail F,form= g,globoff G,get h,help H,header= i,include
I,head j,junk-session-cookies J,remote-header-name k,insecure K,config= l,list-only L,location m,max-time= M,manual
n,netrc N,no-buffer o,output= O,remote-name p,proxytunnel P,ftp-port= q,disable Q,quote= r,range= R,remote-time
s,silent S,show-error t,telnet-option= T,upload-file= u,user= U,proxy-user= v,verbose V,version w,write-out= x,proxy=
X,request= y,speed-time= Y,speed-limit= z,time-cond= Z,parallel #,progress-bar abstract-unix-socket= alt-svc=
aws-sigv4= cacert= capath= cert-type= ciphers= compressed connect-timeout= connect-to= create-dirs create-file-mode=
crlfile= curves= data-ascii= data-binary= data-raw= data-urlencode= delegation= dns-interface= dns-ipv4-addr=
dns-ipv6-addr= dns-servers= doh-url= ech= egd-file= engine= expect100-timeout= fail-early fail-with-body form-string=
ftp-account= ftp-method= haproxy-clientip= happy-eyeballs-timeout-ms= hostpubmd5= hostpubsha256= hsts= http0.9
http1.1 http2 http2-prior-knowledge http3 interface= ip-tos= ipfs-gateway= json= keepalive-time= key= key-type= krb=
libcurl= limit-rate= local-port= login-options= mail-auth= mail-from= mail-rcpt= max-filesize= max-redirs=
netrc-file= next no-keepalive noproxy= oauth2-bearer= output-dir= parallel-max= pass= pinnedpubkey= post301 post302
post303 preproxy= proto= proto-default= proxy-cacert= proxy-cert= proxy-header= proxy-insecure proxy-key= proxy1.0=
pubkey= random-file= rate= request-target= resolve= retry= retry-all-errors retry-connrefused retry-delay=
retry-max-time= sasl-authzid= service-name= socks4= socks4a= socks5= socks5-hostname= stderr= tcp-fastopen
tcp-nodelay tftp-blksize= tls-max= tlsauthtype= tlspassword= tlsuser= tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 trace=
trace-ascii= trace-config= trace-time unix-socket= url= url-query= variable= vlan-priority=
""")

WGET = parse_table("""
O,output-document= o,output-file= a,append-output= q,quiet d,debug v,verbose i,input-file= B,base= t,tries=
T,timeout= w,wait= U,user-agent= P,directory-prefix= c,continue N,timestamping S,server-response e,execute= header=
method= post-data= post-file= body-data= body-file= ca-certificate= certificate= private-key= no-check-certificate
user= password= http-user= http-password= r,recursive l,level= A,accept= R,reject= D,domains= Q,quota= nv nc
no-clobber retry-connrefused content-on-error spider no-verbose load-cookies= save-cookies= bind-address= limit-rate=
referer=
""")

NC = parse_table("""
4 6 b C d D F h k l N n r S t U,unixsock u v Z z I= i= M= m= O= P= p= q= s= T= V= W= w= X= x= c,sh-exec= e,exec=
lua-exec= g= G= L,listen ssl K,keep-open o,output= allow= deny= proxy= proxy-type= source= source-port= idle-timeout=
vsock
""")

GRPCURL = parse_table("""
H,header= rpc-header= reflect-header= d,data= D import-path= proto= protoset= protoset-out= proto-out-dir= plaintext
insecure cacert= cert= key= authority= user-agent= servername= unix allow-unknown-fields connect-timeout=
keepalive-time= max-time= max-msg-sz= emit-defaults expand-headers format= format-error msg-template use-reflection v
vv version help alts alts-handshaker-service= alts-target-service-account=
""")
