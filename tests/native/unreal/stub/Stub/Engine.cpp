// The stand-in engine, see README.md.
#include "Stub/Engine.h"

#include <dlfcn.h>

#include <chrono>
#include <ctime>

#include "Components/AudioComponent.h"
#include "GameFramework/Actor.h"
#include "HAL/Event.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTime.h"
#include "HAL/RunnableThread.h"
#include "Interfaces/IPluginManager.h"
#include "Misc/DateTime.h"
#include "Roles/LiveLinkBasicRole.h"
#include "Sound/SoundWaveProcedural.h"

namespace {
std::mutex LogLock;
std::vector<std::string> Log;
std::vector<std::unique_ptr<UObject>> Objects;
std::mutex AudioLock;
std::vector<UAudioComponent*> Playing;
std::vector<float> Levels;

const char* const Verbosities[] = {"", "Fatal", "Error", "Warning", "Display", "Log", "Verbose"};
}  // namespace

// ---- Core ----
void Stub::WriteLog(const FLogCategory& Category, ELogVerbosity::Type Verbosity, const char* Line) {
    const std::lock_guard<std::mutex> Guard(LogLock);
    Log.push_back(std::string(Category.Name) + ": " + Verbosities[Verbosity] + ": " + Line);
}

std::vector<std::string> Stub::TakeLog() {
    const std::lock_guard<std::mutex> Guard(LogLock);
    return std::exchange(Log, {});
}

void Stub::Keep(UObject* Object) { Objects.emplace_back(Object); }

void Stub::CollectGarbage() {
    while (!Objects.empty()) Objects.pop_back();
}

double FPlatformTime::Seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

FDateTime FDateTime::Now() {
    const auto Now = std::chrono::system_clock::now();
    const std::time_t Seconds = std::chrono::system_clock::to_time_t(Now);
    const auto Rest = Now - std::chrono::system_clock::from_time_t(Seconds);
    std::tm Local{};
    localtime_r(&Seconds, &Local);
    const int64 Whole = (Local.tm_hour * 60 + Local.tm_min) * 60 + Local.tm_sec;
    FDateTime Time;
    Time.TimeOfDay =
        FTimespan(Whole * 10000000 + std::chrono::duration_cast<std::chrono::nanoseconds>(Rest).count() / 100);
    return Time;
}

FEvent* FPlatformProcess::GetSynchEventFromPool(bool bIsManualReset) {
    if (bIsManualReset) std::abort();  // the stand-in knows only the other kind
    return new FEvent();
}
void FPlatformProcess::ReturnSynchEventToPool(FEvent* Event) { delete Event; }
void* FPlatformProcess::GetDllHandle(const TCHAR* Path) { return dlopen(TCHAR_TO_UTF8(Path), RTLD_NOW | RTLD_LOCAL); }
void* FPlatformProcess::GetDllExport(void* Library, const TCHAR* Name) { return dlsym(Library, TCHAR_TO_UTF8(Name)); }
void FPlatformProcess::FreeDllHandle(void* Library) { dlclose(Library); }

FRunnableThread* FRunnableThread::Create(FRunnable* Runnable, const TCHAR*, uint32, EThreadPriority) {
    return new FRunnableThread(Runnable);
}

IPluginManager& IPluginManager::Get() {
    static IPluginManager Manager;
    return Manager;
}
TSharedPtr<IPlugin> IPluginManager::FindPlugin(const FString& Name) const {
    if (!(Name == TEXT("Visavis"))) return nullptr;
    TSharedPtr<IPlugin> Plugin = MakeShared<IPlugin>();
    Plugin->BaseDir = StubBaseDir;
    return Plugin;
}

const FName ILiveLinkClient::ModularFeatureName(TEXT("ModularFeatureLiveLinkClient"));
IModularFeatures& IModularFeatures::Get() {
    static IModularFeatures Features;
    return Features;
}
bool IModularFeatures::IsModularFeatureAvailable(const FName& Name) const {
    return Feature != nullptr && Name == ILiveLinkClient::ModularFeatureName;
}

// ---- Text ----
std::string Stub::ToUtf8(const TCHAR* Text) {
    std::string Bytes;
    for (const TCHAR* At = Text; *At != 0; ++At) {
        char32_t Code = *At;
        if (Code >= 0xD800 && Code < 0xDC00) Code = 0x10000 + ((Code - 0xD800) << 10) + (*++At - 0xDC00u);
        if (Code < 0x80) {
            Bytes += static_cast<char>(Code);
        } else {
            const int More = Code < 0x800 ? 1 : Code < 0x10000 ? 2 : 3;
            Bytes += static_cast<char>((0xF00 >> More & 0xFF) | (Code >> 6 * More));
            for (int Left = More - 1; Left >= 0; --Left) Bytes += static_cast<char>(0x80 | (Code >> 6 * Left & 0x3F));
        }
    }
    return Bytes;
}

std::u16string Stub::FromUtf8(const char* Text) {
    std::u16string Chars;
    for (const char* At = Text; *At != 0; ++At) {
        const auto First = static_cast<unsigned char>(*At);
        const int More = First < 0x80 ? 0 : First < 0xE0 ? 1 : First < 0xF0 ? 2 : 3;
        char32_t Code = More == 0 ? First : First & (0x3Fu >> More);
        for (int Left = More; Left > 0; --Left) Code = Code << 6 | (static_cast<unsigned char>(*++At) & 0x3Fu);
        if (Code < 0x10000) {
            Chars += static_cast<char16_t>(Code);
        } else {
            Chars += static_cast<char16_t>(0xD800 + ((Code - 0x10000) >> 10));
            Chars += static_cast<char16_t>(0xDC00 + (Code & 0x3FF));
        }
    }
    return Chars;
}

std::u16string Stub::Lower(std::u16string Text) {
    for (char16_t& Char : Text) {
        if (Char >= u'A' && Char <= u'Z') Char = static_cast<char16_t>(Char + 32);
    }
    return Text;
}

FString FString::ToUpper() const {
    std::u16string Text = Chars;
    for (char16_t& Char : Text) {
        if (Char >= u'a' && Char <= u'z') Char = static_cast<char16_t>(Char - 32);
    }
    return FString(Text);
}

bool FString::IsNumeric() const {
    const size_t Sign = !Chars.empty() && (Chars[0] == u'-' || Chars[0] == u'+') ? 1 : 0;
    return Chars.size() > Sign && Chars.find_first_not_of(u"0123456789.", Sign) == std::u16string::npos;
}

bool FString::Equals(const FString& Other, ESearchCase::Type Case) const {
    return Case == ESearchCase::CaseSensitive ? Chars == Other.Chars : Stub::Lower(Chars) == Stub::Lower(Other.Chars);
}
bool FString::StartsWith(const FString& Other, ESearchCase::Type Case) const {
    return Len() >= Other.Len() && Left(Other.Len()).Equals(Other, Case);
}
bool FString::EndsWith(const FString& Other, ESearchCase::Type Case) const {
    return Len() >= Other.Len() && RightChop(Len() - Other.Len()).Equals(Other, Case);
}

bool FString::Split(const FString& At, FString* Before, FString* After) const {
    const size_t Where = Chars.find(At.Chars);
    if (Where == std::u16string::npos) return false;
    const std::u16string Whole = Chars;  // either may be this one
    *Before = FString(Whole.substr(0, Where));
    *After = FString(Whole.substr(Where + At.Chars.size()));
    return true;
}

int32 FString::ParseIntoArray(TArray<FString>& Parts, const TCHAR* Delimiter, bool bCullEmpty) const {
    Parts.Reset();
    const std::u16string Between = Delimiter;
    for (size_t From = 0; From <= Chars.size();) {
        const size_t To = std::min(Chars.find(Between, From), Chars.size());
        if (To > From || !bCullEmpty) Parts.Add(FString(Chars.substr(From, To - From)));
        From = To + Between.size();
    }
    return Parts.Num();
}

FString FString::Replace(const TCHAR* From, const TCHAR* To) const {
    TArray<FString> Parts;
    ParseIntoArray(Parts, From, false);
    return Join(Parts, To);
}

FString FString::TrimStartAndEnd() const {
    const size_t From = Chars.find_first_not_of(u" \t");
    return From == std::u16string::npos ? FString()
                                        : FString(Chars.substr(From, Chars.find_last_not_of(u" \t") - From + 1));
}

FString FString::Join(const TArray<FString>& Parts, const TCHAR* Between) {
    FString Text;
    for (int32 Index = 0; Index < Parts.Num(); ++Index)
        Text += Index > 0 ? FString(Between) + Parts[Index] : Parts[Index];
    return Text;
}

// ---- Actors and sound ----
AActor* UActorComponent::GetOwner() const { return dynamic_cast<AActor*>(GetOuter()); }
void UActorComponent::RegisterComponent() {
    if (GetOwner() != nullptr) GetOwner()->StubComponents.Add(this);
}
void UActorComponent::DestroyComponent(bool) {
    if (GetOwner() != nullptr)
        GetOwner()->StubComponents.RemoveAll([this](UActorComponent* One) { return One == this; });
}
void UAudioComponent::Play(float) { Stub::FAudioThread::Start(this); }
void UAudioComponent::Stop() { Stub::FAudioThread::Stop(this); }
void UAudioComponent::DestroyComponent(bool bPromote) {
    Stop();
    UActorComponent::DestroyComponent(bPromote);
}

void Stub::FAudioThread::Start(UAudioComponent* Player) {
    const std::lock_guard<std::mutex> Guard(AudioLock);
    Playing.push_back(Player);
}
void Stub::FAudioThread::Stop(UAudioComponent* Player) {
    const std::lock_guard<std::mutex> Guard(AudioLock);
    std::erase(Playing, Player);
}
std::vector<float> Stub::FAudioThread::TakeLevels() {
    const std::lock_guard<std::mutex> Guard(AudioLock);
    return std::exchange(Levels, {});
}

static float Hear(USoundWaveProcedural& Sound) {
    constexpr int32 NumSamples = 1024;
    TArray<uint8> Bytes;
    if (Sound.GetGeneratedPCMDataFormat() != Audio::EAudioMixerStreamDataFormat::Float || Sound.NumChannels != 1)
        std::abort();
    const int32 Generated = Sound.OnGeneratePCMAudio(Bytes, NumSamples);
    if (Generated != NumSamples || Bytes.Num() != NumSamples * 4) std::abort();
    float Loudest = 0.0f;
    for (int32 Index = 0; Index < NumSamples; ++Index) {
        float Sample = 0.0f;
        FMemory::Memcpy(&Sample, Bytes.GetData() + 4 * Index, 4);
        Loudest = std::max(Loudest, std::abs(Sample));
    }
    return Loudest;
}

Stub::FAudioThread::FAudioThread() {
    Thread = std::thread([this] {
        auto Next = std::chrono::steady_clock::now();
        while (!bStop) {
            Next += std::chrono::microseconds(1024 * 1000000 / 48000);
            std::this_thread::sleep_until(Next);
            const std::lock_guard<std::mutex> Guard(AudioLock);
            for (UAudioComponent* const Player : Playing) {
                auto* const Sound = dynamic_cast<USoundWaveProcedural*>(Player->Sound);
                if (Sound != nullptr) Levels.push_back(Hear(*Sound));
            }
        }
    });
}
Stub::FAudioThread::~FAudioThread() {
    bStop = true;
    Thread.join();
}

// ---- Live Link ----
FGuid Stub::FLiveLink::AddSource(TSharedPtr<ILiveLinkSource> Source) {
    const FGuid Guid{NextGuid++, 0, 0, 0};
    {
        const std::lock_guard<std::mutex> Guard(Lock);
        Alive.push_back(Guid);
    }
    Source->ReceiveClient(this, Guid);
    auto* const Settings = Cast<ULiveLinkSourceSettings>(Source->GetSettingsClass().Get()->Make());
    Source->InitializeSettings(Settings);
    Sources.Add(FEntry{Guid, Source, Settings});
    return Guid;
}

void Stub::FLiveLink::RemoveSource(FGuid Source) {
    for (FEntry& Entry : Sources) Entry.bEnding |= Entry.Guid == Source;
}

void Stub::FLiveLink::Tick() {
    for (FEntry& Entry : Sources) {
        if (!Entry.bEnding) Entry.Source->Update();
    }
    Sources.RemoveAll([this](FEntry& Entry) {
        if (!Entry.bEnding || !Entry.Source->RequestSourceShutdown()) return false;
        const std::lock_guard<std::mutex> Guard(Lock);
        std::erase(Alive, Entry.Guid);
        return true;
    });
}

void Stub::FLiveLink::Check(bool bGood, const char* Fault) {
    if (!bGood) Broken.emplace_back(Fault);
}

Stub::FSubject* Stub::FLiveLink::Find(const FLiveLinkSubjectKey& Key) {
    Check(std::find(Alive.begin(), Alive.end(), Key.Source) != Alive.end(), "a push after the source was shut down");
    for (FSubject& Subject : Recorded) {
        if (Subject.Name == TCHAR_TO_UTF8(*Key.SubjectName.Name.ToString())) return &Subject;
    }
    return nullptr;
}

void Stub::FLiveLink::PushSubjectStaticData_AnyThread(const FLiveLinkSubjectKey& Key, TSubclassOf<ULiveLinkRole> Role,
                                                      FLiveLinkStaticDataStruct&& Data) {
    const FLiveLinkStaticDataStruct Taken = std::move(Data);
    const std::lock_guard<std::mutex> Guard(Lock);
    FSubject* Subject = Find(Key);
    if (Subject == nullptr) {
        Recorded.emplace_back();
        Subject = &Recorded.back();
        Subject->Name = TCHAR_TO_UTF8(*Key.SubjectName.Name.ToString());
    }
    Check(Role.Get() == ULiveLinkBasicRole::StaticClass(), "not the Basic role");
    Subject->bRemoved = false;
    ++Subject->NumStatic;
    Subject->Properties.clear();
    const auto* const Static = const_cast<FLiveLinkStaticDataStruct&>(Taken).Cast<FLiveLinkBaseStaticData>();
    for (const FName& Name : Static->PropertyNames) Subject->Properties.emplace_back(TCHAR_TO_UTF8(*Name.ToString()));
}

void Stub::FLiveLink::PushSubjectFrameData_AnyThread(const FLiveLinkSubjectKey& Key, FLiveLinkFrameDataStruct&& Data) {
    FLiveLinkFrameDataStruct Taken = std::move(Data);
    const FLiveLinkBaseFrameData& Frame = *Taken.Cast<FLiveLinkBaseFrameData>();
    const FQualifiedFrameTime& Scene = Frame.MetaData.SceneTime;
    const std::lock_guard<std::mutex> Guard(Lock);
    FSubject* const Subject = Find(Key);
    Check(Subject != nullptr && !Subject->bRemoved, "a frame before its static data");
    if (Subject == nullptr) return;
    Check(static_cast<size_t>(Frame.PropertyValues.Num()) == Subject->Properties.size(),
          "values and names differ in number");
    const auto Meta = [&Frame](const TCHAR* Name) {
        return Stub::ToUtf8(**Frame.MetaData.StringMetaData.Find(FName(Name)));
    };
    Subject->Frames.push_back({Frame.WorldTime.GetSourceTime(),
                               Scene.Time.FrameNumber.Value,
                               Scene.Time.GetSubFrame(),
                               Scene.Rate,
                               Meta(TEXT("VisavisState")),
                               std::stod(Meta(TEXT("VisavisSessionTime"))),
                               {Frame.PropertyValues.begin(), Frame.PropertyValues.end()}});
}

void Stub::FLiveLink::RemoveSubject_AnyThread(const FLiveLinkSubjectKey& Key) {
    const std::lock_guard<std::mutex> Guard(Lock);
    FSubject* const Subject = Find(Key);
    Check(Subject != nullptr && !Subject->bRemoved, "an unknown subject was removed");
    if (Subject != nullptr) Subject->bRemoved = true;
}

std::vector<Stub::FSubject> Stub::FLiveLink::Subjects() {
    const std::lock_guard<std::mutex> Guard(Lock);
    return Recorded;
}
std::vector<std::string> Stub::FLiveLink::Faults() {
    const std::lock_guard<std::mutex> Guard(Lock);
    return Broken;
}
