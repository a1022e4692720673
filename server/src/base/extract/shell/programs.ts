import type { ShellFacts } from "@lanyard/contract";
import { optionsOf, type OptionSpec } from "./options.ts";

/** A program that is judged by this table alone. */
export interface ShellProgram extends OptionSpec {
  readonly class: ShellFacts["class"];
  /** What its operands are: names of files; a pattern first, then names of files; one file, since a second would be written; or words that mean nothing outside. */
  readonly operands: "files" | "pattern" | "one" | "texts";
  readonly destructive: boolean;
}

/** `letters:letters with a value long,long=`; `*` for letters: all options are harmless. */
function row(names: string, as: ShellFacts["class"], operands: ShellProgram["operands"], options: string, destructive = false): [string, ShellProgram][] {
  const [short = "", long = ""] = options.split(" ");
  return names.split(" ").map((name) => [name, { class: as, operands, destructive, ...optionsOf(short, long.split(",")) }]);
}

/**
 * Programs that do the one thing their manual says, with the options that keep to it (GNU coreutils and the like, as on Debian). A program that
 * is not here, or has an option that is not here, is not understood.
 */
export const programs: ReadonlyMap<string, ShellProgram> = new Map([
  ...row("ls dir vdir cat tac rev nl wc md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum stat readlink realpath basename dirname cmp comm expand unexpand fold", "read", "files", "*"),
  ...row("head tail", "read", "files", "*:nc"),
  ...row("cut", "read", "files", "*:bcdf delimiter=,fields="),
  ...row("paste", "read", "files", "*:d"),
  ...row("join", "read", "files", "*:123aeojtv"),
  ...row("od", "read", "files", "*:ANjtwS"),
  ...row("strings", "read", "files", "*:nte"),
  ...row("du", "read", "files", "*:dBtX"),
  ...row("df", "read", "files", "*:Btx"),
  ...row("diff", "read", "files", "*:CUILxXW"),
  ...row("fmt pr", "read", "files", "*:wlho"),
  ...row("column", "read", "files", "*:cosNRHTEWOdl"),
  ...row("grep egrep fgrep", "read", "pattern", "*:ABCDdefm regexp=,file=,max-count=,context="),
  ...row("jq", "read", "pattern", "CMRSacenrsj:L arg=,indent=,compact-output,raw-output,raw-input,slurp,null-input,exit-status,sort-keys,tab,color-output,monochrome-output,join-output"),
  ...row("tr seq expr true false : test [ sleep printenv pwd whoami id groups logname uname arch nproc uptime tty cal which type wait exit return break continue shift", "read", "texts", "*"),
  ...row("echo", "read", "texts", "*"),
  ...row("ps pgrep free vmstat lscpu lsblk lsmod w who last getconf locale pidof", "read", "texts", "*"),
  ...row("top", "read", "texts", "bcHiS1:ndpuUoEew"),
  ...row("iostat mpstat netstat", "read", "texts", "*"),
  ...row("ss", "read", "texts", "Hnralemoipstuwx460 all,listening,numeric,processes,tcp,udp,summary"),
  ...row("lsof", "read", "texts", "nPUltRi:pu"),
  ...row("dmesg", "read", "texts", "HTLkurtxw:lf ctime,human,level=,facility=,since=,until=,follow"),
  ...row("journalctl", "read", "texts", "aefqrxk:nuSUpgbot since=,until=,unit=,no-pager,priority=,grep=,lines=,output=,boot,follow,utc,reverse,dmesg,identifier="),
  ...row("printf", "read", "texts", ""),
  ...row("date", "read", "texts", "Ru:dr utc,universal,iso-8601,rfc-3339=,date=,reference=,rfc-email"),
  ...row("hostname", "read", "texts", "fsidAI"),
  ...row("set", "read", "texts", "eux:o"),
  ...row("sort", "read", "files", "bdfgiMhnRrVcCmsuz:kSt reverse,unique,numeric-sort,human-numeric-sort,version-sort,general-numeric-sort,ignore-case,key=,field-separator=,stable,zero-terminated,check,merge"),
  ...row("tree", "read", "files", "adfilxpsugDFhCnQrtcUvJXq:LIP noreport,dirsfirst,gitignore,prune,du,si,charset="),
  ...row("file", "read", "files", "bihkLNnprs0:eFm brief,mime,mime-type,mime-encoding,dereference"),
  ...row("hexdump hd", "read", "files", "bcCdovx:nse"),
  ...row("uniq", "read", "one", "cdDiuz:fsw count,repeated,unique,ignore-case,skip-fields=,skip-chars="),
  ...row("xxd", "read", "one", "abeEipu:lsgco"),
  ...row("base64 base32", "read", "files", "di:w decode,wrap=,ignore-garbage"),
  ...row("rg", "read", "pattern", "FHILNPSUVacinloqsuvwx.0:ABCEefgjmrtTMd glob=,type=,type-not=,files,files-with-matches,files-without-match,hidden,no-ignore,line-number,no-heading,count,json,ignore-case,smart-case,fixed-strings,multiline,max-count=,max-depth=,context=,after-context=,before-context=,only-matching,color=,sort=,word-regexp,no-filename,with-filename,stats,vimgrep,invert-match,case-sensitive,iglob=,no-messages,null,replace=,regexp="),
  ...row("mkdir touch", "write", "files", "pvacmfh:dtr parents,verbose,no-create,date=,reference="),
  ...row("rmdir", "write", "files", "pv parents,verbose,ignore-fail-on-non-empty"),
  ...row("cp", "write", "files", "abdfHilLnPpRrsuvTx:tS recursive,archive,verbose,force,no-clobber,preserve=,update,parents,target-directory=,no-target-directory,interactive,dereference"),
  ...row("mv", "write", "files", "bfinuvT:tS force,verbose,no-clobber,interactive,target-directory=,no-target-directory,update"),
  ...row("ln", "write", "files", "bfinPrsvTL:tS symbolic,force,relative,verbose"),
  ...row("chmod chown chgrp", "write", "pattern", "cfvRHLP recursive,verbose,reference="),
  ...row("tee", "write", "files", "aip append"),
  ...row("mktemp", "write", "files", "dqut:p directory,tmpdir=,suffix=,dry-run"),
  ...row("gzip gunzip bzip2 bunzip2 xz unxz zstd", "write", "files", "123456789dfklnqrtvN:S keep,decompress,force,verbose,recursive"),
  ...row("unzip", "write", "files", "jlnopquvt:dx"),
  ...row("zip", "write", "files", "0123456789jqruyv:x"),
  ...row("truncate", "write", "files", "co:sr size=,reference=,no-create", true),
  ...row("rm", "write", "files", "dfiIrRv recursive,force,verbose,interactive,dir,preserve-root,one-file-system", true),
  ...row("unlink", "write", "files", "", true),
  ...row("shred", "write", "files", "fuvxz:ns force,remove,zero,verbose,iterations=,size=", true),
  ...row("curl", "network", "texts", "fsSLIkvgGjNi0123460#O:XHdAouTFmweb request=,header=,data=,data-raw=,data-binary=,data-urlencode=,json=,output=,user-agent=,user=,form=,upload-file=,max-time=,connect-timeout=,retry=,write-out=,silent,show-error,fail,location,insecure,include,head,compressed,get,verbose,globoff,http1.1,http2,url=,referer=,cookie=,fail-with-body,no-progress-meter,progress-bar,proto=,tlsv1.2,create-dirs,remove-on-error"),
  ...row("wget", "network", "texts", "cqvnNSk46:OPotTU quiet,output-document=,directory-prefix=,header=,post-data=,post-file=,body-data=,body-file=,method=,timeout=,tries=,user-agent=,no-verbose,no-check-certificate,continue,spider,show-progress,https-only"),
  ...row("nc ncat netcat", "network", "texts", "nuvzlk46:wp"),
  ...row("ping dig nslookup host whois traceroute telnet", "network", "texts", "46anv:cwtiWx short"),
  ...row("scp", "network", "texts", "rpqCv46:iPl"),
  ...row("rsync", "network", "texts", "avzrhnPptgoDlLuxcimq: archive,verbose,compress,progress,dry-run,delete,exclude=,include=,human-readable,stats,partial,update,checksum,recursive,itemize-changes"),
]);

/** Programs whose use is to run other programs, code or a shell of their own, or to change the machine: never looked into. */
export const executors = new Set(
  `. ansible ansible-playbook apt apt-get at bun bundle cargo cmake composer crontab csh deno dnf docker docker-compose doas ed emacs eval exec expect fish flatpak gdb
  gem go gradle groovy insmod iptables java javac jshell julia kill killall ld less login lua luajit m4 mail make man modprobe more mount mvn mysql nano ninja node npm npx nsenter
  osascript perl php pip pip3 pipx pkexec pkill pnpm podman poetry psql python python2 python3 R Rscript reboot redis-cli ruby rundll32 rustc screen script service shutdown snap socat source
  sqlite3 ssh strace su sudo swift systemctl tclsh terraform tmux tofu trap tsx umount unshare useradd usermod uv uvx vi view vim watch yarn yum chroot mongosh mongo vagrant
  mkfs mke2fs fdisk parted wipefs dd chattr nft ip ifconfig route sysctl halt poweroff init passwd visudo`.split(/\s+/),
);

/** Programs that talk to one service, which is named by their configuration: it stands among the hosts as the program's name in parentheses. */
export const serviceClients = new Set("aws az gcloud gsutil gh glab kubectl oc helm heroku vercel netlify flyctl fly wrangler doctl sftp ftp lftp rclone s3cmd mc sendmail mutt mailx".split(" "));
